//! Inquiries: what is asked of memory about an answer that it has given, and what it tells.

use std::borrow::Cow;
use std::fmt;

use crate::data::dataset::TaskKind;
use crate::engine::prompt::Question;
use crate::engine::why::why_not;
use crate::mediator::Weights;
use crate::memory::entry::IndexError;
use crate::memory::explain::Node;
use crate::memory::history::CommunityHistory;
use crate::memory::why_not::{Candidate, Reason};
use crate::memory::{Memory, MemoryRead};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Inquiry {
    /// How the score of this own item adds up.
    Item(String),
    /// How the score of this entry adds up.
    Entry(String),
    /// Why this interaction or entry is not shown.
    WhyNot(String),
    /// What there is to ask *why not?* about.
    Candidates,
    /// The community of the person who asks.
    Community,
}

impl fmt::Display for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inquiry::Item(id) | Inquiry::Entry(id) => write!(f, "the score of {id}"),
            Inquiry::WhyNot(id) => write!(f, "why not {id}?"),
            Inquiry::Candidates => write!(f, "why not?"),
            Inquiry::Community => write!(f, "the person's community"),
        }
    }
}

/// An inquiry about a question.
#[derive(Clone, Debug, PartialEq)]
pub struct InquiryRequest {
    /// Names the answer.
    pub ticket: u64,
    /// What memory was asked.
    pub question: Question,
    /// What it said, with the history that it was made to hold; `None` where it is still being asked.
    pub read: Option<MemoryRead>,
    /// How prompt room is divided.
    pub weights: Weights,
    /// The person's profile that stands in prompts.
    pub prose: Option<String>,
    /// What is asked about it.
    pub inquiry: Inquiry,
}

/// What memory tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// How a score adds up.
    Score(Node),
    /// Why something is not shown.
    Reason(Reason),
    /// What there is to ask about.
    Candidates(Vec<Candidate>),
    /// A community; none where there is nothing to tell.
    Community(Option<CommunityHistory>),
    /// What the mediator knows of the question at hand: nothing has to be asked for it, and it follows the weights.
    Ledger,
}

/// Answers `request` from `memory`, or says why not.
pub fn answer(memory: &Memory, request: &InquiryRequest) -> Result<Told, String> {
    let Question { user, query, at } = &request.question;
    let told = match &request.inquiry {
        Inquiry::Item(id) => {
            let read = shown(memory, request).map_err(|error| error.to_string())?;
            let found = memory.explain_item(query, *at, &read, id);
            return found.map(Told::Score).ok_or_else(|| format!("{id} is no item of this person before the question"));
        }
        Inquiry::Entry(id) => {
            let read = shown(memory, request).map_err(|error| error.to_string())?;
            let found = memory.explain_entry(user, query, *at, &read, id).map_err(|error| error.to_string())?;
            return found.map(Told::Score).ok_or_else(|| match memory.manifest.task {
                TaskKind::Rating => {
                    format!("{id} is all that others gave this very thing, moved toward what everybody gives: no entry has parts")
                }
                TaskKind::Labels | TaskKind::Text => format!("{id} is no entry that this question may read"),
            });
        }
        Inquiry::WhyNot(id) => memory
            .read(user, query, *at)
            .and_then(|read| why_not(memory, &request.question, &read, &request.weights, request.prose.as_deref(), id))
            .map(Told::Reason),
        Inquiry::Candidates => memory.candidates(user, *at).map(Told::Candidates),
        Inquiry::Community => memory.community_history(user, *at).map(Told::Community),
    };
    told.map_err(|error| error.to_string())
}

/// What memory said to the question: a score is explained as it is shown.
fn shown<'r>(memory: &Memory, request: &'r InquiryRequest) -> Result<Cow<'r, MemoryRead>, IndexError> {
    let Question { user, query, at } = &request.question;
    match &request.read {
        Some(read) => Ok(Cow::Borrowed(read)),
        None => memory.read(user, query, *at).map(Cow::Owned),
    }
}
