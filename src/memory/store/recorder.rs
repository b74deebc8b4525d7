//! Adding to a store: what is recorded is on the disk before it is acknowledged, and in memory at once.

use std::collections::{BTreeSet, HashSet};
use std::iter;

use super::base;
use super::error::{Notice, StoreError};
use super::kept;
use super::lock::WriterLock;
use super::log::{LogContent, LogWriter};
use super::{Opened, Report, Store};
use crate::data::interaction::{Interaction, Timestamp};
use crate::data::sanitize::visible;
use crate::memory::Memory;

impl Store {
    /// Opens the memory to add to it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] while another process does the same.
    pub fn record(&self, report: &mut Report<StoreError>) -> Result<Recorder<'_>, StoreError> {
        self.openable()?;
        self.bases()?.iter().for_each(|base| kept::sweep(base));
        let lock = self.lock()?;
        let (log, content, notice) = LogWriter::open(&self.log())?;
        let mut notices: Vec<Notice> = notice.into_iter().collect();
        let memory = self.open_locked(&lock, &content, None, &mut notices, report)?;
        let known = content.records.iter().map(fingerprint).collect();
        Ok(Recorder { store: self, lock, log, opened: Opened { memory, notices }, known, late: BTreeSet::new() })
    }
}

/// Adds to a store. What it has recorded is on the disk and in its memory.
pub struct Recorder<'a> {
    store: &'a Store,
    lock: WriterLock,
    log: LogWriter,
    opened: Opened,
    /// Fingerprints of everything recorded.
    known: HashSet<blake3::Hash>,
    /// Recorded interactions that are earlier than others: memory does not hold them yet.
    late: BTreeSet<String>,
}

impl Recorder<'_> {
    /// What happened when it was opened.
    pub fn notices(&self) -> &[Notice] {
        &self.opened.notices
    }

    /// Records an interaction: when this returns, it survives whatever happens to the process.
    pub fn append(&mut self, interaction: &Interaction) -> Result<(), StoreError> {
        let fitted = self
            .fit(interaction)
            .map_err(|reason| StoreError::Unfit { id: visible(&interaction.id).into_owned(), reason })?;
        base::make_ready(self.opened.memory.embedder.as_ref(), iter::once(&fitted), &mut |_, _, _| Ok(()))?;
        self.log.append(&fitted)?;
        self.known.insert(fingerprint(&fitted));
        if !self.late.is_empty() || self.opened.memory.remember(&[&fitted]).is_err() {
            self.late.insert(fitted.id);
        }
        Ok(())
    }

    /// Whether this very interaction has been recorded.
    pub fn holds(&self, interaction: &Interaction) -> bool {
        let mut fitted = interaction.clone();
        self.store.head.fit(&mut fitted.response).is_ok() && self.known.contains(&fingerprint(&fitted))
    }

    /// The memory with everything recorded. Where something was recorded that is earlier than others, the base is
    /// made anew first.
    pub fn memory(&mut self, report: &mut Report<StoreError>) -> Result<&Memory, StoreError> {
        if !self.late.is_empty() {
            let content = LogContent::read(&self.store.log())?;
            let base = self.store.rebuild(&content, None, &self.lock, report)?;
            self.opened.memory = base::open(&base, &self.store.head, self.store.sizes)?;
            self.opened.notices.push(Notice::Folded { records: content.records.len() });
            self.late.clear();
        }
        Ok(&self.opened.memory)
    }

    /// It as the dataset would hold it, if that accepts it.
    fn fit(&self, interaction: &Interaction) -> Result<Interaction, String> {
        let population = &self.opened.memory.population;
        let mut fitted = interaction.clone();
        self.store.head.fit(&mut fitted.response)?;
        if interaction.at.to_string().parse::<Timestamp>().ok() != Some(interaction.at) {
            return Err(format!("its time {} is outside the calendar; give another one", interaction.at.0));
        }
        if population.item_ix(&interaction.id).is_some() || self.late.contains(&interaction.id) {
            return Err("its id stands in the data already; give it another one".to_owned());
        }
        Ok(fitted)
    }
}

/// Of everything that an interaction says. Writing one to memory cannot fail.
fn fingerprint(interaction: &Interaction) -> blake3::Hash {
    blake3::hash(&serde_json::to_vec(interaction).unwrap_or_default())
}
