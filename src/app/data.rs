//! The dataset on the screen.
//!
//! A small one is in RAM. Of a large one, whose memory comes from a store, the interactions stay in their file, and what is
//! asked of all of them at once is kept beside it; nothing here tells which of the two it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::data::archive::Archive;
use crate::data::dataset::{Dataset, DatasetError, TaskKind};
use crate::data::form::Places;
use crate::data::interaction::{Interaction, JudgedQuery, Timestamp, UserId};
use crate::engine::profile::History;
use crate::engine::prompt::Question;
use crate::session::check;

/// Interactions that are asked again where there are no judged queries, at most …
const ASKED_AGAIN: usize = 500;
/// … and one in so many.
const SHARE_AGAIN: usize = 5;

/// A dataset with what the screen shows of it at all times.
#[derive(Debug)]
pub struct Data {
    /// The dataset; without its interactions where they stay in their file.
    pub dataset: Dataset,
    archive: Option<Archive>,
    /// What is asked in turn: the judged queries, or see [`Data::asked_again`].
    pub queries: Vec<JudgedQuery>,
    again: bool,
    /// Everyone who acts or asks, sorted.
    pub users: Vec<UserId>,
    /// All responses there can be, in display order.
    pub labels: Vec<String>,
    places: Places,
}

impl Data {
    /// Counts what `dataset` holds.
    pub fn of(dataset: Dataset) -> Self {
        let users = dataset.users().into_iter().collect();
        let (labels, places) = (dataset.manifest.responses(), dataset.manifest.places());
        Self { queries: dataset.queries.clone(), again: false, dataset, archive: None, users, labels, places }
    }

    /// The same where, without a judged query, the newest interactions are asked again in turn, each at its own moment, before
    /// it was answered, and judged by that answer.
    pub fn asked_again(mut self) -> Self {
        if self.queries.is_empty() {
            let n = self.interactions();
            let newest = (n.saturating_sub(ASKED_AGAIN.min(n.div_ceil(SHARE_AGAIN)))..n)
                .filter_map(|item| self.interaction(item));
            let asked = newest.map(Cow::into_owned).map(|i| JudgedQuery {
                id: i.id,
                user: i.user,
                at: i.at,
                query: i.query,
                gold: Some(i.response),
                item: i.item,
                extra: i.extra,
            });
            self.queries = asked.collect();
            self.again = true;
        }
        self
    }

    /// Whether what is asked in turn are interactions and not judged queries.
    pub fn is_asked_again(&self) -> bool {
        self.again
    }

    /// The same of many interactions, which stay in their file; `head` is all the rest.
    pub fn archived(head: Dataset, archive: Archive) -> Self {
        let users = archive.users().into_iter().chain(head.users()).collect::<BTreeSet<_>>().into_iter().collect();
        Self { archive: Some(archive), users, ..Self::of(head) }
    }

    /// How many interactions there are.
    pub fn interactions(&self) -> usize {
        self.archive.as_ref().map_or(self.dataset.interactions.len(), Archive::len)
    }

    /// An interaction by its number: as memory numbers them, in order of `(at, id)`. None where its file can no longer
    /// be read.
    pub fn interaction(&self, item: usize) -> Option<Cow<'_, Interaction>> {
        match &self.archive {
            Some(archive) => archive.record(item, &self.dataset).ok().map(Cow::Owned),
            None => self.dataset.interactions.get(item).map(Cow::Borrowed),
        }
    }

    /// When an interaction was.
    pub fn moment(&self, item: usize) -> Option<Timestamp> {
        match &self.archive {
            Some(archive) => archive.at(item),
            None => self.dataset.interactions.get(item).map(|interaction| interaction.at),
        }
    }

    /// How many interactions lie strictly before `t`.
    pub fn before(&self, t: Timestamp) -> usize {
        match &self.archive {
            Some(archive) => archive.before(t),
            None => self.dataset.interactions.partition_point(|interaction| interaction.at < t),
        }
    }

    /// The second after the last interaction.
    pub fn end(&self) -> Timestamp {
        let last = self.interactions().checked_sub(1).and_then(|last| self.moment(last));
        last.map_or(Timestamp(0), |last| Timestamp(last.0.saturating_add(1)))
    }

    /// How often everyone gave each response before `t`; a label stands for a response that stays in its file.
    pub fn visible(&self, t: Timestamp) -> HashMap<&UserId, BTreeMap<&str, usize>> {
        let mut visible: HashMap<&UserId, BTreeMap<&str, usize>> = HashMap::new();
        let mut count = |user, response| *visible.entry(user).or_default().entry(response).or_default() += 1;
        match &self.archive {
            Some(archive) => archive.visible(t).for_each(|(user, label)| count(user, self.label(label))),
            None => self.dataset.interactions[..self.before(t)]
                .iter()
                .filter_map(|i| Some((&i.user, self.label_of(&i.response)?)))
                .for_each(|(user, label)| count(user, label)),
        }
        visible
    }

    /// What `user` did before `t`.
    pub fn history(&self, user: &UserId, t: Timestamp) -> History {
        match &self.archive {
            Some(archive) => {
                let did = archive.of_user(user, t).filter_map(|item| archive.record(item, &self.dataset).ok());
                History::of_interactions(user, &did.collect::<Vec<_>>())
            }
            None => History::of_dataset(&self.dataset, user, t),
        }
    }

    /// Whether interactions stay in their file.
    pub fn is_archived(&self) -> bool {
        self.archive.is_some()
    }

    /// Whether no interaction is called `id`.
    pub fn is_free(&self, id: &str) -> bool {
        match &self.archive {
            Some(archive) => !archive.contains(id),
            None => self.dataset.interactions.iter().all(|other| other.id != id),
        }
    }

    /// Of ratings, an interaction about the thing that `query` asks about.
    pub fn rated(&self, query: &str) -> Option<Cow<'_, Interaction>> {
        if self.dataset.manifest.task != TaskKind::Rating {
            return None;
        }
        let same = |other: &Cow<Interaction>| other.query == query;
        match &self.archive {
            Some(archive) => archive.asked(query).and_then(|item| self.interaction(item)).filter(same),
            None => self.dataset.interactions.iter().map(Cow::Borrowed).find(same),
        }
    }

    /// The same with an interaction more, and its number.
    ///
    /// # Errors
    ///
    /// What the system says of a file that holds interactions.
    pub fn with(&self, interaction: Interaction) -> Result<(Self, usize), DatasetError> {
        if let Some(archive) = &self.archive {
            let mut archive = archive.clone();
            let place = archive.add(interaction, &self.dataset)?;
            return Ok((self.asking(Self::archived(self.dataset.clone(), archive)), place));
        }
        let mut dataset = self.dataset.clone();
        let key = (interaction.at, interaction.id.clone());
        check::remember(&mut dataset, [interaction]);
        let place = dataset.interactions.partition_point(|other| (other.at, &other.id) < (key.0, &key.1));
        Ok((self.asking(Self::of(dataset)), place))
    }

    /// `other` with the questions that are asked in turn here.
    fn asking(&self, other: Self) -> Self {
        Self { queries: self.queries.clone(), again: self.again, ..other }
    }

    /// All of it: read from its file where interactions stay there.
    ///
    /// # Errors
    ///
    /// What the system says of that file.
    pub fn whole(&self) -> Result<Cow<'_, Dataset>, DatasetError> {
        match &self.archive {
            Some(archive) => archive.whole(&self.dataset).map(Cow::Owned),
            None => Ok(Cow::Borrowed(&self.dataset)),
        }
    }

    /// [`Dataset::content_hash`] of all of it.
    ///
    /// # Errors
    ///
    /// What the system says of a file that holds interactions.
    pub fn content_hash(&self) -> Result<String, DatasetError> {
        match &self.archive {
            Some(archive) => archive.content_hash(&self.dataset),
            None => Ok(self.dataset.content_hash()),
        }
    }

    /// The label that a response counts as: of texts their form.
    pub fn label_of(&self, response: &str) -> Option<&str> {
        self.places.of(response).map(|place| self.label(place))
    }

    /// The labels that a model is asked to score: none of texts, which it writes.
    pub fn scored_labels(&self) -> &[String] {
        if self.places == Places::Written { &[] } else { &self.labels }
    }

    /// The label with this index, empty if there is none.
    pub fn label(&self, ix: usize) -> &str {
        self.labels.get(ix).map_or("", String::as_str)
    }
}

/// The question that a judged query asks.
pub fn question_of(judged: &JudgedQuery) -> Question {
    Question { user: judged.user.clone(), query: judged.query.clone(), at: judged.at }
}
