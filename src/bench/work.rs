//! Ranking of work that others can do as well: profiles and queries, cut into words beforehand, so that programs are
//! timed on the same input and their answers can be compared.
//!
//! Invariants: what is timed are the functions that memory reads with; from a query to the named texts everything is in
//! the time, and nothing else is. A query's time is the median of its rounds.

use std::hint::black_box;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::figure::{Figure, Machine};
use crate::data::dataset::{
    Calibration, Dataset, FORMAT, Manifest, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use crate::data::interaction::{Extra, Interaction, Timestamp, UserId};
use crate::data::sanitize::visible;
use crate::data::text;
use crate::memory::embed::{HashEmbedder, dot};
use crate::memory::lexical::{Bag, words};
use crate::memory::local::Probe;
use crate::memory::matching::Matching;
use crate::memory::okapi::{Okapi, Spoken};
use crate::memory::population::{ItemIx, Population};

/// Why work cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The file cannot be read.
    #[error("{}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is no work.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what to do.
        reason: String,
    },
    /// There is no line.
    #[error("{}: holds no work; it needs at least one line {{\"id\", \"texts\", \"query\"}}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// A line: one query to one person's texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Work {
    id: String,
    /// Words of each text.
    texts: Vec<Vec<String>>,
    /// Words of the query.
    query: Vec<String>,
    /// A vector a text, and the query's.
    #[serde(default)]
    vectors: Option<Vec<Vec<f32>>>,
    #[serde(default)]
    vector: Option<Vec<f32>>,
}

/// A text with its score: `[place, score]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ranked(pub usize, pub f64);

/// How one way of ranking answered a query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// Giving the words their numbers, once a person, in microseconds; absent where nothing needs them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_us: Option<f64>,
    /// Making what the query is asked of, in microseconds; absent where that is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_us: Option<f64>,
    /// From the query to the named texts, in microseconds.
    pub rank_us: f64,
    /// The best texts, best first; among equals the earlier one.
    pub top: Vec<Ranked>,
}

/// A query, ranked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Of the line.
    pub id: String,
    /// BM25 as `rank_bm25` has it; scores are its own.
    pub okapi: Ranking,
    /// BM25 of local memory without other people's texts; scores are shares of the best possible one.
    pub bm25: Ranking,
    /// Inner products, where the line has vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dense: Option<Ranking>,
}

/// All that was ranked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkReport {
    /// `logoscope.work/1`.
    pub schema: &'static str,
    /// Where.
    pub machine: Machine,
    /// Most texts named for a query.
    pub top: usize,
    /// Times that each query was timed.
    pub rounds: usize,
    /// Over the queries.
    pub figures: Vec<Figure>,
    /// In the order of the lines.
    pub answers: Vec<Answer>,
}

/// Ranks every line of `reader`, which `path` names in messages: the `top` best texts, timed in so many `rounds`.
pub fn work(path: &Path, reader: impl BufRead, top: usize, rounds: usize) -> Result<WorkReport, WorkError> {
    let mut answers = Vec::new();
    for (index, line) in reader.lines().enumerate() {
        let line = line.map_err(|source| WorkError::Read { path: path.to_owned(), source })?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |reason: String| WorkError::Line { path: path.to_owned(), line: index + 1, reason };
        let work: Work = serde_json::from_str(&line)
            .map_err(|error| wrong(format!("{}; correct or remove the line", text::json_fault(&error))))?;
        if let Some(reason) = work.fault() {
            return Err(wrong(reason));
        }
        answers.push(work.answer(top, rounds));
    }
    if answers.is_empty() {
        return Err(WorkError::Empty { path: path.to_owned() });
    }
    let figure = |name, times: &dyn Fn(&Answer) -> Option<f64>| {
        let times: Vec<f64> = answers.iter().filter_map(times).collect();
        (!times.is_empty()).then(|| Figure::of_values(name, "us", times))
    };
    let figures = [
        figure("work.okapi.number", &|answer| answer.okapi.number_us),
        figure("work.okapi.build", &|answer| answer.okapi.build_us),
        figure("work.okapi.rank", &|answer| Some(answer.okapi.rank_us)),
        figure("work.bm25.build", &|answer| answer.bm25.build_us),
        figure("work.bm25.rank", &|answer| Some(answer.bm25.rank_us)),
        figure("work.dense.rank", &|answer| answer.dense.as_ref().map(|dense| dense.rank_us)),
    ];
    let figures = figures.into_iter().flatten().collect();
    Ok(WorkReport { schema: "logoscope.work/1", machine: Machine::here(), top, rounds, figures, answers })
}

impl Work {
    /// What keeps the line from being done as it stands.
    fn fault(&self) -> Option<String> {
        if self.texts.is_empty() || self.texts.iter().any(Vec::is_empty) || self.query.is_empty() {
            return Some("a text or the query has no word, or there is no text; give each at least one".to_owned());
        }
        let plain = |word: &&String| words(word).eq([word.as_str()]);
        if let Some(word) = self.texts.iter().flatten().chain(&self.query).find(|word| !plain(word)) {
            let word = visible(word);
            return Some(format!(
                "'{word}' would not be read as it stands; give words of lower-case letters and digits, no stop words"
            ));
        }
        match (&self.vectors, &self.vector) {
            (None, None) => None,
            (Some(vectors), Some(vector)) => {
                let finite = vectors.iter().flatten().chain(vector).all(|x| x.is_finite());
                let even = vectors.len() == self.texts.len() && vectors.iter().all(|row| row.len() == vector.len());
                let told = "'vectors' needs a row for each text, each as wide as 'vector', of finite numbers";
                (!(finite && even)).then(|| format!("{told}; correct the line"))
            }
            _ => Some("'vectors' and 'vector' belong together; give both or neither".to_owned()),
        }
    }

    fn answer(&self, top: usize, rounds: usize) -> Answer {
        Answer {
            id: self.id.clone(),
            okapi: self.by_okapi(top, rounds),
            bm25: self.by_bm25(top, rounds),
            dense: self.by_vectors(top, rounds),
        }
    }

    /// What `rank_bm25` does for a profile: its words are numbered, once a person, and counted at every read.
    fn by_okapi(&self, top: usize, rounds: usize) -> Ranking {
        let number = || Spoken::of_tokens(self.texts.iter().map(|text| text.iter().map(String::as_str)));
        let (numbered, spoken) = median(rounds, number);
        let (built, okapi) = median(rounds, || Okapi::of(&spoken, spoken.texts()));
        let (ranked, top) = median(rounds, || {
            let query: Vec<Option<u32>> = self.query.iter().map(|word| spoken.number(word)).collect();
            best(&okapi.scores(&query), top)
        });
        Ranking { number_us: Some(numbered), build_us: Some(built), rank_us: ranked, top }
    }

    /// The lexical score of local memory. Building is that of all columns, vectors among them.
    fn by_bm25(&self, top: usize, rounds: usize) -> Ranking {
        let dataset = self.dataset();
        let (built, population) = median(rounds, || Population::new(&dataset, &HashEmbedder::default()));
        let settings = Retrieval { idf_prior: 0.0, ..Retrieval::default() };
        let visible: Vec<ItemIx> = (0..population.len()).collect();
        let (ranked, top) = median(rounds, || {
            let probe = self.probe(&population);
            let matching = Matching::new(&population, &settings, &visible, &probe, dataset.end());
            let scores: Vec<f64> = (0..visible.len()).map(|place| matching.score(place)).collect();
            best(&scores, top)
        });
        Ranking { number_us: None, build_us: Some(built), rank_us: ranked, top }
    }

    /// Inner products with every text's vector; these lie in one row after the other, as memory keeps them.
    fn by_vectors(&self, top: usize, rounds: usize) -> Option<Ranking> {
        let (rows, query) = (self.vectors.as_ref()?.concat(), self.vector.as_ref()?);
        let (ranked, top) = median(rounds, || {
            let scores: Vec<f64> =
                rows.chunks_exact(query.len().max(1)).map(|row| f64::from(dot(query, row))).collect();
            best(&scores, top)
        });
        Some(Ranking { number_us: None, build_us: None, rank_us: ranked, top })
    }

    /// The texts as one person's interactions, a second apart.
    fn dataset(&self) -> Dataset {
        let interaction = |(place, text): (usize, &Vec<String>)| Interaction {
            id: place.to_string(),
            user: UserId::new("person"),
            at: Timestamp(place as i64),
            query: text.join(" "),
            response: String::new(),
            item: None,
            extra: Extra::new(),
        };
        let manifest = Manifest {
            format: FORMAT,
            name: self.id.clone(),
            task: TaskKind::Text,
            labels: Vec::new(),
            scale: None,
            metric: String::new(),
            licence: String::new(),
            source: String::new(),
            prompt: Wording::default(),
            retrieval: Retrieval::default(),
            periods: Periods::default(),
            calibration: Calibration::default(),
            weights: WeightDefaults::default(),
        };
        let interactions = self.texts.iter().enumerate().map(interaction).collect();
        Dataset { manifest, interactions, queries: Vec::new() }
    }

    /// The query's words as the lexicon knows them; no vector is asked for.
    fn probe(&self, population: &Population) -> Probe {
        let mut unknown: Vec<&String> = Vec::new();
        let known = self.query.iter().filter_map(|word| {
            let term = population.lexicon.id(word);
            if term.is_none() {
                unknown.push(word);
            }
            term
        });
        let bag = Bag::of(known.collect());
        unknown.sort_unstable();
        unknown.dedup();
        Probe { text: String::new(), bag, unknown: unknown.len(), vector: Vec::new(), features: Vec::new() }
    }
}

/// The `top` best, best first; among equals the earlier one.
fn best(scores: &[f64], top: usize) -> Vec<Ranked> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let before = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    if top < order.len() {
        order.select_nth_unstable_by(top, before);
        order.truncate(top);
    }
    order.sort_unstable_by(before);
    order.into_iter().map(|place| Ranked(place, scores[place])).collect()
}

/// Does `step` once to warm up and then `rounds` times: the median time in microseconds, and what it came to.
fn median<T>(rounds: usize, mut step: impl FnMut() -> T) -> (f64, T) {
    let result = black_box(step());
    let mut taken: Vec<Duration> = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        let again = black_box(step());
        taken.push(start.elapsed());
        // What it made is let go of outside the time.
        drop(again);
    }
    taken.sort_unstable();
    (taken.get(taken.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6), result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stand_in_order_and_the_earlier_first() {
        let scores = [0.1, 0.5, -1.0, 0.5, 0.9];
        assert_eq!(best(&scores, 3), [Ranked(4, 0.9), Ranked(1, 0.5), Ranked(3, 0.5)]);
        assert_eq!(best(&scores, 9).len(), 5);
        assert_eq!(best(&[1.0, 1.0, 1.0], 2), [Ranked(0, 1.0), Ranked(1, 1.0)]);
    }
}
