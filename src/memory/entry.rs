//! Collective entries: groups of similar interactions within a community, formed at a period's end and found again
//! through tantivy (words) and usearch (vectors).
//!
//! Invariant: candidates from the two indexes are only candidates. Counts, support and shown words are summed from
//! members at read time, without the asking user, behind the guard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STRING, Schema};
use tantivy::{Index, IndexReader, ReloadPolicy, Term};
use usearch::ffi::{IndexOptions, MetricKind, ScalarKind};

use super::community::{Communities, CommunityIx, k_means};
use super::embed::{dot, normalise};
use super::fusion::Similarity;
use super::lexical::{DocumentCounts, TermId, shrunk_idf};
use super::local::Probe;
use super::population::{ItemIx, Population, UserIx};
use crate::data::dataset::Retrieval;
use crate::data::interaction::Timestamp;

/// Mean number of interactions in an entry.
const MEAN_SIZE: usize = 20;
/// Candidates taken from each index.
const CANDIDATES: usize = 256;
/// Words kept per entry.
const WORDS: usize = 24;

/// Why the indexes over entries failed. Neither touches a disk, so this is a defect or memory exhaustion.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The text index.
    #[error("the text index over collective entries failed: {0}; reopen the dataset, and report this if it repeats")]
    Text(#[from] tantivy::TantivyError),
    /// The vector index.
    #[error("the vector index over collective entries failed: {0}; reopen the dataset, and report this if it repeats")]
    Vector(String),
}

/// A group of similar interactions.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `p<period, from 1>-c<community>-<number>`; `c*` for the population.
    pub id: String,
    /// Whose; `None` for entries of the whole population.
    pub community: Option<CommunityIx>,
    /// Members.
    pub items: Vec<ItemIx>,
    /// Distinct contributors, ascending.
    pub users: Vec<UserIx>,
    /// Unit vector.
    pub centroid: Vec<f32>,
    /// Frequent words with everyone who used them, most users first.
    pub words: Vec<(TermId, BTreeSet<UserIx>)>,
    /// Newest member.
    pub last_seen: Timestamp,
}

impl Entry {
    /// Whether enough people besides the asking one used `word` here for it to be shown or matched.
    pub fn may_show(&self, word: TermId, asking: Option<UserIx>, guard: usize) -> bool {
        self.words.iter().find(|(other, _)| *other == word).is_some_and(|(_, users)| others(users, asking) >= guard)
    }

    /// People with an item here, the asking one aside.
    pub fn contributors(&self, population: &Population, asking: Option<UserIx>) -> usize {
        others(&self.items.iter().map(|item| population.user[*item]).collect(), asking)
    }
}

/// How many of `users` are not the asking one.
pub fn others(users: &BTreeSet<UserIx>, asking: Option<UserIx>) -> usize {
    users.len() - usize::from(asking.is_some_and(|user| users.contains(&user)))
}

/// The words of a query as entries are matched with them, weighed by how rare they were before a period's end.
pub struct EntryQuery {
    /// Words that somebody used, with their idf.
    pub words: Vec<(TermId, f64)>,
    /// The sum of a perfect match: words that nobody used count as the rarest, whether or not a later text holds them.
    pub ideal: f64,
}

impl EntryQuery {
    /// Weighs the words of `probe` by the first `items` texts.
    pub fn new(population: &Population, probe: &Probe, items: usize) -> Self {
        let mut words = Vec::new();
        let mut unseen = probe.unknown;
        for term in probe.bag.distinct() {
            let counts = population.document_counts(term, items);
            match counts.with_term {
                0 => unseen += 1,
                _ => words.push((term, shrunk_idf(counts, DocumentCounts::default(), 0.0))),
            }
        }
        let nobody = DocumentCounts { with_term: 0, total: items };
        let rarest = shrunk_idf(nobody, DocumentCounts::default(), 0.0);
        let ideal = words.iter().map(|(_, idf)| idf).sum::<f64>() + unseen as f64 * rarest;
        Self { words, ideal }
    }

    /// The query's words that may be matched in `entry`, each with its share of the lexical score.
    pub fn matched(&self, entry: &Entry, asking: Option<UserIx>, guard: usize) -> impl Iterator<Item = (TermId, f64)> {
        let may_show = move |(word, _): &&(TermId, f64)| entry.may_show(*word, asking, guard);
        self.words.iter().filter(may_show).map(|(word, idf)| (*word, idf / self.ideal))
    }

    /// How like the query `entry` is.
    pub fn similarity(&self, probe: &Probe, entry: &Entry, asking: Option<UserIx>, settings: &Retrieval) -> Similarity {
        let may_show = |(word, _): &&(TermId, f64)| entry.may_show(*word, asking, settings.guard);
        let matched: f64 = self.words.iter().filter(may_show).map(|(_, idf)| idf).sum();
        let lexical = if self.ideal > 0.0 { matched / self.ideal } else { 0.0 };
        Similarity::combine(lexical, f64::from(dot(&probe.vector, &entry.centroid)), settings.lexical_share)
    }
}

/// All entries of a snapshot with their indexes.
pub struct Entries {
    /// In order of community, then number.
    pub all: Vec<Entry>,
    text: TextIndex,
    vectors: Mutex<usearch::Index>,
}

impl Entries {
    /// Groups the first `before` items by community. Groups with fewer than `guard` people join the nearest larger one;
    /// a community too small for even one such group gives its items to the population.
    pub fn form(
        population: &Population,
        communities: &Communities,
        before: usize,
        period: usize,
        guard: usize,
        seed: u64,
    ) -> Result<Self, IndexError> {
        let mut of_community: Vec<Vec<ItemIx>> = vec![Vec::new(); communities.count];
        for item in 0..before {
            if let Some(community) = communities.of[population.user[item]] {
                of_community[community].push(item);
            }
        }
        let mut all = Vec::new();
        let mut orphans = Vec::new();
        for (community, items) in of_community.into_iter().enumerate() {
            let groups = groups(population, &items, guard, seed ^ (community as u64 + 1));
            if groups.is_empty() {
                orphans.extend(items);
            }
            push_entries(&mut all, population, period, Some(community), groups, guard);
        }
        orphans.sort_unstable();
        let groups = groups(population, &orphans, guard, seed);
        push_entries(&mut all, population, period, None, groups, guard);
        let text = TextIndex::build(population, &all)?;
        let vectors = Mutex::new(vector_index(&all, population.dimensions())?);
        Ok(Self { all, text, vectors })
    }

    /// Entries worth scoring for a query, ascending.
    pub fn candidates(&self, population: &Population, probe: &Probe) -> Result<BTreeSet<usize>, IndexError> {
        let mut found = self.text.search(population, probe)?;
        if !self.all.is_empty() && probe.vector.iter().any(|x| *x != 0.0) {
            let index = self.vectors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let matches = index.search(&probe.vector, CANDIDATES.min(self.all.len())).map_err(vector_fault)?;
            found.extend(matches.keys.iter().map(|key| *key as usize));
        }
        Ok(found)
    }
}

/// Groups similar items; every group has at least `guard` people. Empty when all items together have fewer.
fn groups(population: &Population, items: &[ItemIx], guard: usize, seed: u64) -> Vec<(Vec<ItemIx>, Vec<f32>)> {
    let people = |items: &[ItemIx]| items.iter().map(|item| population.user[*item]).collect::<BTreeSet<_>>().len();
    if people(items) < guard {
        return Vec::new();
    }
    let rows = population.vectors_of(items);
    let points: Vec<&[f32]> = rows.chunks_exact(population.dimensions()).collect();
    let clusters = k_means(&points, Vec::new(), (items.len() / MEAN_SIZE).max(1), seed);
    let mut grouped: Vec<(Vec<ItemIx>, Vec<f32>)> = clusters.centroids.into_iter().map(|c| (Vec::new(), c)).collect();
    for (item, cluster) in items.iter().zip(clusters.of) {
        grouped[cluster].0.push(*item);
    }
    // Smallest first, so that small groups may grow together before they reach a large one.
    while let Some(small) =
        (0..grouped.len()).filter(|ix| people(&grouped[*ix].0) < guard).min_by_key(|ix| (grouped[*ix].0.len(), *ix))
    {
        if grouped.len() == 1 {
            break;
        }
        let (items, centroid) = grouped.remove(small);
        if items.is_empty() {
            continue;
        }
        let likeness = |other: &Vec<f32>| dot(&centroid, other);
        let Some(nearest) = (0..grouped.len())
            .max_by(|a, b| likeness(&grouped[*a].1).total_cmp(&likeness(&grouped[*b].1)).then(b.cmp(a)))
        else {
            break;
        };
        grouped[nearest].0.extend(items);
        grouped[nearest].0.sort_unstable();
        let mut mean = vec![0.0f32; population.dimensions()];
        for item in &grouped[nearest].0 {
            population.vector(*item).add_to(&mut mean);
        }
        normalise(&mut mean);
        grouped[nearest].1 = mean;
    }
    grouped
}

fn push_entries(
    all: &mut Vec<Entry>,
    population: &Population,
    period: usize,
    community: Option<CommunityIx>,
    groups: Vec<(Vec<ItemIx>, Vec<f32>)>,
    guard: usize,
) {
    let whose = community.map_or("*".to_owned(), |community| community.to_string());
    for (number, (items, centroid)) in groups.into_iter().enumerate() {
        let mut users: BTreeMap<TermId, BTreeSet<UserIx>> = BTreeMap::new();
        for item in &items {
            for term in population.bag(*item).distinct() {
                users.entry(term).or_default().insert(population.user[*item]);
            }
        }
        let mut words: Vec<(TermId, BTreeSet<UserIx>)> =
            users.into_iter().filter(|(_, users)| users.len() >= guard).collect();
        words.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
        words.truncate(WORDS);
        let last_seen = items.iter().map(|item| population.at[*item]).max().unwrap_or(Timestamp(0));
        let id = format!("p{}-c{whose}-{number}", period + 1);
        let contributors: BTreeSet<UserIx> = items.iter().map(|item| population.user[*item]).collect();
        let users = contributors.into_iter().collect();
        all.push(Entry { id, community, items, users, centroid, words, last_seen });
    }
}

/// Words of entries in a tantivy index in memory; document number = entry number.
struct TextIndex {
    reader: IndexReader,
    field: Field,
}

impl TextIndex {
    fn build(population: &Population, entries: &[Entry]) -> Result<Self, IndexError> {
        let mut schema = Schema::builder();
        let field = schema.add_text_field("word", STRING);
        let mut writer = Index::builder().schema(schema.build()).single_segment_index_writer(
            tantivy::directory::RamDirectory::create(),
            // tantivy's least; an index of entries is far smaller.
            15_000_000,
        )?;
        for entry in entries {
            let mut document = tantivy::TantivyDocument::default();
            for (term, _) in &entry.words {
                document.add_text(field, population.lexicon.word(*term));
            }
            writer.add_document(document)?;
        }
        let index = writer.finalize()?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { reader, field })
    }

    fn search(&self, population: &Population, probe: &Probe) -> Result<BTreeSet<usize>, IndexError> {
        // Built from terms, never parsed: typed text must not become query syntax.
        let clause = |term: TermId| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(self.field, population.lexicon.word(term));
            (Occur::Should, Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
        };
        let query = BooleanQuery::new(probe.bag.distinct().map(clause).collect());
        let top = self.reader.searcher().search(&query, &TopDocs::with_limit(CANDIDATES).order_by_score())?;
        Ok(top.into_iter().map(|(_, address)| address.doc_id as usize).collect())
    }
}

fn vector_fault(error: impl std::fmt::Display) -> IndexError {
    IndexError::Vector(error.to_string())
}

fn vector_index(entries: &[Entry], dimensions: usize) -> Result<usearch::Index, IndexError> {
    let options =
        IndexOptions { dimensions, metric: MetricKind::IP, quantization: ScalarKind::F32, ..IndexOptions::default() };
    let index = usearch::Index::new(&options).map_err(vector_fault)?;
    // One context: the graph is then a function of the vectors alone, not of the number of cores.
    index.reset().map_err(vector_fault)?;
    index.reserve_capacity_and_threads(entries.len().max(1), 1).map_err(vector_fault)?;
    for (number, entry) in entries.iter().enumerate() {
        index.add(number as u64, &entry.centroid).map_err(vector_fault)?;
    }
    Ok(index)
}
