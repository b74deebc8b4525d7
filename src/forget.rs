//! Forgetting a person: out of the dataset, its stores, its recorded sessions, the profiles that a model wrote of them and
//! the vectors that one made of their texts, with a receipt.
//!
//! Invariants:
//! * Nothing is changed before everything that has to be written to is locked and the dataset without the person is whole
//!   on the disk.
//! * The dataset itself goes last: a run that was interrupted, however, left the person in it, and the next run of the
//!   same command finds them and ends the work.
//! * What others recorded is seen also where such a run has moved it already: nothing of theirs goes for the person's.
//! * What is told as gone was looked for: memory is opened anew and asked with the person's own words.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use crate::data::dataset::{Dataset, DatasetError};
use crate::data::forget::{
    FolderError, INTERACTIONS, Person, Place, QUERIES, SESSIONS, Share, Stage, Survey, alone, each_rest, refuse_link,
    remove_leftover, survey,
};
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::engine::profile::kept::{self, ProfileError, Whose};
use crate::engine::profile::{History, Profile};
use crate::memory::Memory;
use crate::memory::embed::{self, OfTexts, VectorsError};
use crate::memory::entry::IndexError;
use crate::memory::store::{Forgetting, Holding, Notice, Remains, Report, Store, StoreError, Unwritten};
use crate::memory::trace::{Trace, probe_count};
use crate::session::SessionError;
use crate::session::recordings::{self, Mark, Recording};

/// Why a person could not be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The dataset folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Memory.
    #[error(transparent)]
    Memory(#[from] IndexError),
    /// A recorded session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Prose profiles.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Vectors of an embedding model.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// Nobody of this name.
    #[error("user '{0}' is not in the dataset, its stores or its recorded sessions; check the spelling")]
    Unknown(UserId),
}

/// Whom to forget, and where they may be.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The dataset folder.
    pub data: &'a Path,
    /// Who.
    pub user: &'a UserId,
    /// Where stores are.
    pub stores: &'a Path,
    /// Where live use is recorded.
    pub recordings: &'a Path,
    /// Where prose profiles are kept.
    pub profiles: &'a Path,
    /// Where vectors of embedding models are kept.
    pub vectors: &'a Path,
}

/// Everything that is kept of a person, and what a search for them finds.
#[derive(Clone, Debug)]
pub struct Findings {
    /// By file of the dataset.
    pub shares: Vec<Share>,
    /// Lines of other people that name them.
    pub named: Vec<Place>,
    /// Other files of the dataset folder.
    pub elsewhere: Vec<Place>,
    /// Files that would have to be unpacked.
    pub packed: Vec<PathBuf>,
    /// What interrupted writes have left.
    pub leftovers: Vec<PathBuf>,
    /// Stores.
    pub stores: Remains,
    /// Recorded sessions.
    pub recordings: Vec<Recording>,
    /// Files of prose profiles that a model wrote about them.
    pub profiles: Vec<PathBuf>,
    /// What embedding models made of their texts, wherever those are kept.
    pub vectors: OfTexts,
    /// Recordings and profiles of somebody of this name that are of other data; they stay.
    pub unrelated: Vec<PathBuf>,
    /// In memory; `None` for a task that has none, and of a dataset without interactions.
    pub memory: Option<Vec<Trace>>,
}

/// What was found, removed, and found afterwards.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The dataset's name.
    pub dataset: String,
    /// Who.
    pub user: UserId,
    /// Own texts that memory was asked with.
    pub probes: usize,
    /// Own texts in all.
    pub texts: usize,
    /// Before. All but `named`, `elsewhere`, `packed` and `unrelated` is what is removed.
    pub before: Findings,
    /// After; `None` where nothing was changed.
    pub after: Option<Findings>,
    /// What happened to stores on the way.
    pub notices: Vec<Notice>,
}

impl Findings {
    /// Ways in memory that still lead to them.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.memory.iter().flatten().filter(|trace| !trace.is_none())
    }

    /// Files made of what they did: recorded sessions and profiles.
    fn recorded(&self) -> usize {
        self.recordings.len() + self.profiles.len()
    }

    /// Whether there is anything of them in files, sessions, or stores of earlier data.
    fn hold_somebody(&self) -> bool {
        let in_stores = self.stores.holdings.iter().any(|holding| !holding.current && holding.tied);
        in_stores || self.shares.iter().any(|share| share.theirs > 0) || self.recorded() > 0
    }

    /// Places where something of them is left.
    pub fn left(&self) -> usize {
        let in_files = self.shares.iter().filter(|share| share.theirs > 0).count();
        let in_stores = self.stores.holdings.iter().filter(|holding| !holding.current).count();
        let in_vectors = usize::from(!self.vectors.is_none());
        let of_sessions = self.recorded() + self.elsewhere.len() + self.leftovers.len();
        in_files + in_stores + in_vectors + of_sessions + self.traces().count()
    }
}

/// A person, and what there is of them.
struct Known {
    dataset: String,
    person: Person,
    /// Everything they did, as their profiles are made from it.
    history: History,
    /// Everything they said or asked, in the dataset and in the logs of stores.
    texts: BTreeSet<String>,
    findings: Findings,
}

/// Whether a profile is of this person: made from their history, or in their words.
fn is_about(profile: &Profile, person: &Person, history: &History) -> bool {
    let texts = [Some(&profile.written), profile.edited.as_ref()];
    profile.is_of(history) || texts.into_iter().flatten().any(|text| person.speaks_in(text))
}

impl Known {
    /// Takes them out of a file of profiles.
    fn leave_profiles(&self, path: &Path) -> Result<(), ProfileError> {
        let theirs = |profile: &Profile| is_about(profile, &self.person, &self.history);
        kept::forget(path, Whose { dataset: &self.dataset, user: &self.person.user, theirs: &theirs })
    }
}

/// What others recorded and a run that was interrupted has moved: until the dataset is replaced, it lies in the store of what
/// that will be. Without it their words would be taken for the person's alone, and their sessions would go.
fn moved(request: Request, head: &Dataset) -> Result<Vec<Interaction>, ForgetError> {
    let Request { data, user, stores, .. } = request;
    let mut files = [Unwritten::default(), Unwritten::default()];
    for (file, name) in files.iter_mut().zip([INTERACTIONS, QUERIES]) {
        each_rest(data, name, user, |_, rest| {
            file.add(rest);
            Ok(())
        })?;
    }
    let (mut moved, _) = Store::of_unwritten(stores, head.clone(), files)?.recorded()?;
    moved.retain(|record| record.user != *user);
    Ok(moved)
}

/// Looks everywhere; changes nothing. `known` brings what is known of them already.
fn look(
    request: Request,
    known: Option<&Known>,
    open: impl FnOnce(&Store) -> Result<Memory, ForgetError>,
) -> Result<Known, ForgetError> {
    let head = Dataset::head(request.data)?;
    let manifest = &head.manifest;
    let store = Store::of(request.stores, request.data)?;
    let (mut recorded, _) = store.recorded()?;
    if known.is_none() {
        recorded.extend(moved(request, &head)?);
    }
    let mut found: Survey = survey(request.data, request.user, manifest.task, &recorded)?;
    // Without interactions there is no memory.
    let any = found.shares.first().is_some_and(|share| share.theirs + share.others > 0);
    let memory = any.then(|| open(&store)).transpose()?;
    let history = match known {
        Some(known) => {
            found.person = known.person.clone();
            // What lies in the log of the new store is seen only now.
            found.person.share(&recorded);
            known.history.clone()
        }
        None => match &memory {
            Some(memory) => History::of_memory(memory, request.user, Timestamp(i64::MAX)),
            None => History::of_interactions(request.user, &[]),
        },
    };
    found.look_around(request.data)?;
    let mut recordings = recordings::within(&request.data.join(SESSIONS), &found.person)?;
    recordings.extend(recordings::among(request.data, &found.person)?);
    found.elsewhere.retain(|place| recordings.iter().all(|recording| recording.path != place.path));
    let did = found.person.interactions.iter().map(|i| (i.id.as_str(), i.query.as_str()));
    let asked = head.queries.iter().chain(&found.person.queries).map(|q| (q.id.as_str(), q.query.as_str()));
    let others = recorded.iter().map(|record| (record.id.as_str(), record.query.as_str()));
    let stated: HashSet<(&str, &str)> = did.chain(asked).chain(others).collect();
    let same = |id: &str, text: &str| {
        let population = memory.as_ref().map(|memory| &memory.population);
        let held = population.and_then(|p| p.item_ix(id).map(|item| p.text[item] == *text));
        held == Some(true) || stated.contains(&(id, text))
    };
    let live = recordings::about(request.recordings, &found.person, Mark { name: &manifest.name, knows: &same })?;
    recordings.extend(live.ours);
    let theirs = |profile: &Profile| is_about(profile, &found.person, &history);
    let profiles =
        kept::about(request.profiles, Whose { dataset: &manifest.name, user: request.user, theirs: &theirs })?;
    let written = recordings.iter().map(|recording| &recording.path).chain(&profiles.theirs);
    written.map(PathBuf::as_path).try_for_each(refuse_link)?;
    let unrelated = [live.unrelated, profiles.unrelated].concat();
    let mut stores = store.remains(request.user, &same)?;
    if found.person.is_unknown() {
        // The dataset's own store holds what the dataset holds, but for what was moved aside.
        stores.holdings.retain(|holding| !holding.current || holding.aside > 0);
    }
    let texts = match known {
        Some(known) => known.texts.clone(),
        None => {
            let recorded = stores.holdings.iter().flat_map(|holding| &holding.recorded);
            let said = found.person.texts().map(|(text, _)| text).chain(recorded.map(|record| record.query.as_str()));
            said.map(str::to_owned).collect()
        }
    };
    let vectors = embed::of_texts(request.vectors, texts.iter().map(String::as_str))?;
    let Survey { person, shares, named, elsewhere, packed, leftovers } = found;
    let profiles = profiles.theirs;
    let mut findings = Findings {
        shares,
        named,
        elsewhere,
        packed,
        leftovers,
        stores,
        recordings,
        profiles,
        vectors,
        unrelated,
        memory: None,
    };
    // Memory takes its time, and of somebody who is nowhere else it knows nothing.
    if let Some(memory) = memory.filter(|_| known.is_some() || !person.is_unknown() || findings.hold_somebody()) {
        findings.memory = Some(memory.traces(&person)?);
    }
    Ok(Known { dataset: manifest.name.clone(), person, history, texts, findings })
}

/// Looks for a person and says what there is of them; changes nothing.
pub fn look_for(request: Request) -> Result<Receipt, ForgetError> {
    seek(request).map(|(receipt, _)| receipt)
}

fn seek(request: Request) -> Result<(Receipt, Known), ForgetError> {
    let mut notices = Vec::new();
    let known = look(request, None, |store| {
        let opened = store.peek()?;
        notices = opened.notices;
        Ok(opened.memory)
    })?;
    let findings = &known.findings;
    if known.person.is_unknown() && !findings.hold_somebody() {
        return Err(ForgetError::Unknown(request.user.clone()));
    }
    let receipt = Receipt {
        dataset: known.dataset.clone(),
        user: request.user.clone(),
        probes: probe_count(&known.person),
        texts: known.person.texts().count(),
        before: findings.clone(),
        after: None,
        notices,
    };
    Ok((receipt, known))
}

/// Forgets a person. `step` is called before each change of the disk.
pub fn forget(
    request: Request,
    report: &mut Report<StoreError>,
    step: &mut dyn FnMut(),
) -> Result<Receipt, ForgetError> {
    // A folder that is no dataset is told as such, and nothing is made in it.
    Dataset::head(request.data)?;
    // Until everything is looked for again: the new files of two runs would lie in the same place.
    let _alone = alone(request.data)?;
    Stage::sweep(request.data)?;
    let (mut receipt, known) = seek(request)?;
    let stage = Stage::write(request.data, request.user)?;
    if let Err(error) = leave(request, &known, &stage, step) {
        stage.discard();
        return Err(error);
    }
    stage.commit(step)?;
    let stored = receipt.before.stores.holdings.iter().any(|holding| holding.current && !holding.bases.is_empty());
    let notices = &mut receipt.notices;
    let after = look(request, Some(&known), |store| {
        // Traces are looked for in words: of an embedding model that nobody opened, no vectors are needed.
        let from_store = store.worthwhile() || (stored && store.openable().is_ok());
        if !from_store {
            let mut dataset = Dataset::open(request.data)?;
            dataset.manifest.retrieval.embedder.without_model();
            return Ok(Memory::build(&dataset));
        }
        let opened = store.open(None, report)?;
        notices.extend(opened.notices);
        Ok(opened.memory)
    })?;
    receipt.after = Some(after.findings);
    Ok(receipt)
}

/// Takes the person out of everything but the dataset.
fn leave(request: Request, known: &Known, stage: &Stage, step: &mut dyn FnMut()) -> Result<(), ForgetError> {
    let findings = &known.findings;
    // A table or model that the dataset names lies relative to its folder, not to that of what waits.
    let mut head = Dataset::head(request.data)?;
    head.queries.retain(|query| query.user != *request.user);
    let next = Store::of_read(request.stores, stage.folder(), &head)?;
    let begin = |holding: &Holding| Ok((holding.current, Forgetting::begin(holding, request.user)?));
    let leaving: Vec<_> = findings.stores.holdings.iter().map(begin).collect::<Result<_, StoreError>>()?;
    // Before the stores: that all this is the person's may be known by what was recorded there alone.
    if !findings.vectors.is_none() {
        step();
        embed::forget(request.vectors, known.texts.iter().map(String::as_str))?;
    }
    for recording in &findings.recordings {
        step();
        recordings::remove(recording)?;
    }
    for profile in &findings.profiles {
        step();
        known.leave_profiles(profile)?;
    }
    for (current, forgetting) in leaving {
        step();
        if current { forgetting.move_to(&next, step)? } else { forgetting.finish(&next)? }
    }
    findings.leftovers.iter().filter(|path| !path.starts_with(stage.folder())).try_for_each(|path| {
        step();
        remove_leftover(path)
    })?;
    Ok(())
}
