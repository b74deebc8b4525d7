//! Explanations: a score as a tree of numbers.
//!
//! Invariant: the values of a node's children add up to the node's own, to the last shown digit and far beyond; what
//! does not add up stands in a note. Words of an entry appear only where the guard lets them.

use serde::Serialize;

use super::attributes::Part;
use super::community::CommunityIx;
use super::embed::dot;
use super::entry::{Entry, EntryQuery, IndexError};
use super::fusion::{EntryTerms, age_factor, membership_factor, ranks_of};
use super::global::Snapshot;
use super::local::{self, LocalHit, Probe};
use super::matching::{Matching, Others, WordPart};
use super::population::{ItemIx, UserIx};
use super::rating::width;
use super::{Memory, MemoryRead};
use crate::data::dataset::{Bm25, Fusion, Lexical, Likeness, Retrieval};
use crate::data::interaction::{Timestamp, UserId};

/// What parts may miss of their sum by rounding.
const SLACK: f64 = 1e-9;

/// A number with what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Node {
    /// What it is. May hold a word of the data.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Where it comes from, for reading.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Its parts, which add up to it; none for a number that is measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

impl Node {
    fn leaf(name: impl Into<String>, value: f64, note: String) -> Self {
        Self { name: name.into(), value, note, children: Vec::new() }
    }

    /// The nodes in reading order, each with its depth and its value in thousandths, rounded so that what is shown adds
    /// up as well.
    pub fn rounded(&self) -> Vec<(usize, f64, &Node)> {
        let mut out = Vec::new();
        self.round_into(0, thousandths(self.value), &mut out);
        out
    }

    fn round_into<'n>(&'n self, depth: usize, shown: i64, out: &mut Vec<(usize, f64, &'n Node)>) {
        out.push((depth, shown as f64 / 1000.0, self));
        let mut parts: Vec<i64> = self.children.iter().map(|child| thousandths(child.value)).collect();
        let missing = shown - parts.iter().sum::<i64>();
        // The largest part bears the rounding best.
        if let Some(largest) = parts.iter_mut().max_by_key(|part| part.abs()) {
            *largest += missing;
        }
        for (child, shown) in self.children.iter().zip(parts) {
            child.round_into(depth + 1, shown, out);
        }
    }
}

fn thousandths(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

impl Memory {
    /// The score of an item of the person's own in `read`, which is what memory said to `query` at `t`, whatever history it
    /// held and whatever the question was about; `None` for any other.
    pub fn explain_item(&self, query: &str, t: Timestamp, read: &MemoryRead, id: &str) -> Option<Node> {
        let (population, settings) = (&self.population, &self.manifest.retrieval);
        let item = population.item_ix(id)?;
        let hit = read.local.hits.iter().find(|hit| hit.item == item)?;
        let mut visible: Vec<ItemIx> = read.local.hits.iter().map(|hit| hit.item).collect();
        visible.sort_unstable();
        let place = visible.binary_search(&item).ok()?;
        self.embedder.ready(query).ok()?;
        let probe = self.probe(query);
        if self.manifest.similarity() == Likeness::Attributes {
            let children = vec![self.attributes(query, t, hit), recency(hit, settings)];
            return Some(Node { name: id.to_owned(), value: hit.terms.score(), note: String::new(), children });
        }
        let sought = self.sought(&probe, t);
        let found = local::likeness(population, settings, &visible, &probe, self.compared(&sought, t), t);
        let note = match settings.fusion {
            Fusion::Convex => String::new(),
            Fusion::Rrf => format!("reciprocal ranks, k {}", settings.rrf_k),
            Fusion::Lexical => "words alone".to_owned(),
            Fusion::Dense => "vectors alone".to_owned(),
            Fusion::Recency => "age alone".to_owned(),
        };
        let (lexical, dense) = if settings.fusion == Fusion::Rrf {
            by_rank(hit, &found, place)
        } else {
            let parts = match settings.lexical {
                Lexical::Bm25 => Matching::new(population, settings, &visible, &probe, t).parts(place),
                // Words and word pairs go into a cosine together.
                Lexical::Cosine => Vec::new(),
            };
            by_share(hit, settings, found[place].0, parts)
        };
        let children = vec![lexical, dense, recency(hit, settings)];
        Some(Node { name: id.to_owned(), value: hit.terms.score(), note, children })
    }

    /// The likeness of a hit to the thing asked about, as the mean of its parts.
    fn attributes(&self, query: &str, t: Timestamp, hit: &LocalHit) -> Node {
        let value = hit.terms.attributes;
        let mut whole = Node::leaf("attributes", value, "what both things are".to_owned());
        let Some(ratings) = &self.ratings else { return whole };
        let subject = ratings.subject(&self.population, query, self.population.before(t));
        let mut parts = Vec::new();
        ratings.compare(&self.manifest, &subject, hit.item, |part, likeness| parts.push((part, likeness)));
        let count = parts.len() as f64;
        let node = |(part, likeness): (Part, f64)| {
            let value = likeness / count;
            match part {
                Part::Traits { shared, asked, own } => {
                    let each = |name: String| Node::leaf(name, value / shared as f64, String::new());
                    let note = format!("{likeness:.3}: {shared} in common, of {asked} and {own}");
                    let children = ratings.in_common(&subject, hit.item).map(each).collect();
                    Node { children, ..Node::leaf("traits", value, note) }
                }
                Part::Number { measure, asked, own } => {
                    let name = ratings.attributes().measured(measure).unwrap_or("a number of no other thing");
                    Node::leaf(name, value, format!("{likeness:.3}: {}", distance(asked, own, width(&self.manifest))))
                }
            }
        };
        let children: Vec<Node> = parts.into_iter().map(node).collect();
        let sum: f64 = children.iter().map(|child| child.value).sum();
        // A question whose record says more than its words know of what it is about is not told by those words.
        if !children.is_empty() && (sum - value).abs() < SLACK {
            whole.note = format!("what both things are, the mean of {count}");
            whole.children = children;
        }
        whole
    }

    /// The score of an entry of the snapshot that a question reads, to which memory said `read`; `None` for any other id, and
    /// for an entry that the guard keeps back.
    pub fn explain_entry(
        &self,
        user: &UserId,
        query: &str,
        t: Timestamp,
        read: &MemoryRead,
        id: &str,
    ) -> Result<Option<Node>, IndexError> {
        let Some(snapshot) = self.snapshot_at(t)? else { return Ok(None) };
        let Some(entry) = snapshot.entries.named(id) else { return Ok(None) };
        self.embedder.ready(query)?;
        let probe = self.probe(query);
        let view = EntryView::new(self, &snapshot, &probe, self.population.user_ix(user), &read.global.membership);
        let guard = self.manifest.retrieval.guard;
        Ok((entry.contributors(view.asking) >= guard).then(|| view.tree(entry)))
    }
}

/// How far two numbers are apart.
fn distance(asked: f64, own: Option<f64>, width: f64) -> String {
    match own {
        Some(own) => {
            let apart = ((asked - own).abs() * 1000.0).round() / 1000.0;
            format!("{asked} and {own}, {apart} apart, halved every {width}")
        }
        None => format!("{asked}, and the item has none"),
    }
}

fn by_rank(hit: &LocalHit, found: &[(f64, f64)], place: usize) -> (Node, Node) {
    let (words, cosines) = ranks_of(found);
    let told = |rank: Option<usize>, by: &str| match rank {
        Some(rank) => format!("rank {rank} of {} by {by}", found.len()),
        None => format!("nothing in common by {by}"),
    };
    let lexical = Node::leaf("lexical", hit.terms.lexical, told(words[place], "words"));
    (lexical, Node::leaf("dense", hit.terms.dense, told(cosines[place], &format!("cosine ({:.2})", hit.cosine))))
}

fn by_share(hit: &LocalHit, settings: &Retrieval, words: f64, parts: Vec<WordPart>) -> (Node, Node) {
    let share = match settings.fusion {
        Fusion::Convex => settings.lexical_share,
        Fusion::Lexical => 1.0,
        Fusion::Rrf | Fusion::Dense | Fusion::Recency => 0.0,
    };
    let measure = match (settings.lexical, settings.bm25) {
        (Lexical::Cosine, _) => "cosine of tf-idf words and word pairs",
        (Lexical::Bm25, Bm25::Shrunk) => "BM25 over its upper bound",
        (Lexical::Bm25, Bm25::Lamp) => "BM25 as rank_bm25 has it, between its bounds",
    };
    let children = if share > 0.0 { parts.iter().map(|part| word(part, share)).collect() } else { Vec::new() };
    // An empty sum is −0, which would be shown as such; adding 0 makes it 0.
    let measured = words + 0.0;
    let lexical = Node {
        name: "lexical".to_owned(),
        value: hit.terms.lexical,
        note: format!("{share:.2} × {measured:.3}, {measure}"),
        children,
    };
    let dense = if settings.fusion == Fusion::Recency { 0.0 } else { 1.0 - share };
    (lexical, Node::leaf("dense", hit.terms.dense, cosine_note(dense, hit.cosine)))
}

fn cosine_note(share: f64, cosine: f64) -> String {
    let counted = if cosine < 0.0 { ", which counts as 0" } else { "" };
    format!("{share:.2} × cosine {cosine:.3}{counted}")
}

fn word(part: &WordPart, share: f64) -> Node {
    let Some(word) = &part.word else {
        let note = "a frequent word counts against a text; what all texts are lifted by".to_owned();
        return Node::leaf("(lift)", share * part.share, note);
    };
    let times = if part.times == 1 { "once".to_owned() } else { format!("{} times", part.times) };
    let mut note = format!("{times}; idf {:.2}, own {} of {}", part.idf, part.own.with_term, part.own.total);
    match part.others {
        Others::Unasked => {}
        Others::Few => note += ", others too few to tell",
        Others::Counted(others) => note += &format!(", others {} of {}", others.with_term, others.total),
    }
    Node::leaf(word, share * part.share, note)
}

fn recency(hit: &LocalHit, settings: &Retrieval) -> Node {
    let factor = age_factor(hit.age_days, settings.recency_half_life, settings.recency_floor);
    let floor = settings.recency_floor;
    let half_life = settings.recency_half_life;
    let note = format!("factor {factor:.3} at {:.1} d: floor {floor}, recency half-life {half_life} d", hit.age_days);
    Node::leaf("recency", hit.terms.recency, note)
}

/// The entries of a snapshot as one person's question meets them.
pub(super) struct EntryView<'a> {
    memory: &'a Memory,
    probe: &'a Probe,
    pub asking: Option<UserIx>,
    membership: &'a [f64],
    pub query: EntryQuery,
}

impl<'a> EntryView<'a> {
    pub fn new(
        memory: &'a Memory,
        snapshot: &Snapshot,
        probe: &'a Probe,
        asking: Option<UserIx>,
        membership: &'a [f64],
    ) -> Self {
        let query = EntryQuery::new(&snapshot.entries, probe);
        Self { memory, probe, asking, membership, query }
    }

    /// The parts of the entry's score.
    pub fn terms(&self, entry: Entry) -> EntryTerms {
        let settings = &self.memory.manifest.retrieval;
        let similarity = self.query.similarity(self.probe, entry, self.asking, settings);
        EntryTerms::new(similarity, self.factor(entry.community()))
    }

    fn factor(&self, community: Option<CommunityIx>) -> f64 {
        membership_factor(community, self.membership, self.memory.manifest.retrieval.community_share)
    }

    /// The entry's score.
    fn tree(&self, entry: Entry) -> Node {
        let Retrieval { guard, lexical_share: share, .. } = self.memory.manifest.retrieval;
        let terms = self.terms(entry);
        let lexicon = &self.memory.population.lexicon;
        let mut words: Vec<Node> = self
            .query
            .matched(entry, self.asking, guard)
            .map(|(term, part)| {
                let note = format!("idf {:.2}", part * self.query.ideal);
                Node::leaf(lexicon.word(term), share * part, note)
            })
            .collect();
        words.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.name.cmp(&b.name)));
        let measured = if share > 0.0 { terms.lexical / share } else { 0.0 };
        let lexical = Node {
            name: "lexical".to_owned(),
            value: terms.lexical,
            note: format!(
                "{share:.2} × {measured:.3}, idf of the query's words that at least {guard} others used here"
            ),
            children: if share > 0.0 { words } else { Vec::new() },
        };
        let cosine = f64::from(dot(&self.probe.vector, entry.centroid()));
        let whose = match entry.community() {
            Some(community) => format!("membership {:.2} in community {community}", self.membership[community]),
            None => "of everyone".to_owned(),
        };
        let children = vec![
            lexical,
            Node::leaf("dense", terms.dense, cosine_note(1.0 - share, cosine)),
            Node::leaf("community", terms.community, format!("factor {:.3}: {whose}", self.factor(entry.community()))),
        ];
        let people = entry.contributors(self.asking);
        Node { name: entry.id(), value: terms.score(), note: format!("{people} users"), children }
    }
}
