//! The list over the screen: what choosing a row does, and the rows that there are meanwhile.

use super::command::close;
use super::line::edit;
use super::question::{ask, open_judged, remember};
use super::{command, dataset, feedback, inquiry, line, model, setting, tell, tries};
use crate::app::datasets::Place;
use crate::app::effect::Effect;
use crate::app::inquiry::Inquiry;
use crate::app::order::Order;
use crate::app::overlay::{Choice, EditKind, List, ListKind, Overlay};
use crate::app::shelf::Source;
use crate::app::state::State;
use crate::session::scenario::Scenario;

/// Does what the selected row stands for.
pub(super) fn choose(state: &mut State) -> Vec<Effect> {
    if let Some(Overlay::Help(help)) = &mut state.overlay {
        help.filtering = false;
        return Vec::new();
    }
    let Some(Overlay::List(list)) = &state.overlay else { return Vec::new() };
    let list = list.clone();
    let Some(row) = list.current().cloned() else {
        // What nothing in the list is called may be the name of something else.
        let Some(kind) = list.kind.typed() else { return Vec::new() };
        edit(state, kind, list.filter.text().trim());
        return line::accept(state);
    };
    close(state);
    match row.choice {
        Choice::Called { .. } | Choice::Gold(_) if list.heard != state.heard => {
            tell(state, "another question has come meanwhile; nothing is said of it".to_owned(), true);
            Vec::new()
        }
        Choice::User(ix) => {
            let user = state.data.as_ref().and_then(|data| data.users.get(ix).cloned());
            user.map_or_else(Vec::new, |user| ask(state, |question| question.user = user))
        }
        Choice::Query(ix) => {
            state.chosen = true;
            open_judged(state, ix)
        }
        Choice::Run(command) => command::run(state, command),
        Choice::Made(scenario) => make(state, scenario),
        Choice::Recorded(at) => {
            let path = state.recordings.get(at).map(|found| found.path.clone());
            path.map(|path| Effect::Open(Source::File(path))).into_iter().collect()
        }
        Choice::Shipped(name) => vec![Effect::Open(Source::Shipped(name))],
        Choice::Label(label) => {
            let response = state.data.as_ref().and_then(|data| data.labels.get(label).cloned());
            response.map_or_else(Vec::new, |response| remember(state, response))
        }
        Choice::Called { arm, answer, right } => {
            feedback::call(state, arm, answer, right);
            Vec::new()
        }
        Choice::Gold(label) => {
            feedback::give_gold(state, label);
            Vec::new()
        }
        Choice::Try(number) => {
            tries::apply(state, number);
            Vec::new()
        }
        Choice::Policy(policy) => {
            setting::set_policy(state, policy);
            Vec::new()
        }
        Choice::Item => inquiry::ask(state, Inquiry::Item(row.name), Some(list)),
        Choice::Entry => inquiry::ask(state, Inquiry::Entry(row.name), Some(list)),
        Choice::WhyNot => inquiry::ask(state, Inquiry::WhyNot(row.name), Some(list)),
        Choice::TypeId => {
            edit(state, EditKind::Id, "");
            Vec::new()
        }
        Choice::TypePath => {
            edit(state, EditKind::Path, "");
            Vec::new()
        }
        Choice::Model => model::choose(state, row.name),
        Choice::Offer(at) => {
            let name = state.offers.get(at).map(|offer| offer.name.clone());
            model::choose(state, name.unwrap_or_default())
        }
        Choice::ShippedData(name) => dataset::choose(state, Place::Shipped(name)),
        Choice::OfferedData(at) => {
            let folder = state.datasets.offers.get(at).map(|offer| Place::Folder(offer.name.clone().into()));
            folder.map_or_else(Vec::new, |place| dataset::choose(state, place))
        }
        Choice::TypeFolder => {
            edit(state, EditKind::Folder, "");
            Vec::new()
        }
        Choice::TypeModel => {
            edit(state, EditKind::Model, "");
            Vec::new()
        }
    }
}

/// Orders a session of the dataset; the newest order wins.
fn make(state: &mut State, scenario: Scenario) -> Vec<Effect> {
    let Some(data) = state.data.clone().filter(|_| state.cannot_make().is_none()) else { return Vec::new() };
    state.orders.newest += 1;
    state.orders.under_way = Some((scenario, state.now));
    vec![Effect::Make(Box::new(Order { ticket: state.orders.newest, scenario, data, setting: state.setting }))]
}

/// A list of this kind, if one is open, has the rows that there are now.
pub(super) fn grow(state: &mut State, kind: ListKind, rows: impl Fn(&State) -> List) {
    if let Some(Overlay::List(list)) = &state.overlay
        && list.kind == kind
    {
        let list = list.grown(rows(state));
        state.overlay = Some(Overlay::List(list));
    }
}
