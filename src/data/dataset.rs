//! A dataset folder: `dataset.toml`, `interactions.jsonl` and, where queries are judged, `queries.jsonl`. Plain files, the
//! user's truth.
//!
//! Invariants of a [`Dataset`]: interactions are sorted by `(at, id)`, ids are unique, no id, user or query is blank, and
//! every response and gold fits the task: one of [`Manifest::responses`] for `labels` and `rating`, not blank for `text`. A
//! score is held as its scale writes it, so `4.0` in a file is `4` here. A file that breaks them is refused with its line;
//! nothing is dropped.

mod error;
mod responses;
mod write;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::DatasetError;
pub(super) use responses::Responses;
pub use write::{require_vacant, write_whole};

use super::interaction::{Interaction, JudgedQuery, Timestamp, UserId};
pub use super::manifest::{
    ATTRIBUTE_WIDTH, AgeUnit, Bm25, Calibration, FORMAT, Fusion, Lexical, Likeness, MOST_PERIODS, Manifest,
    PeriodLength, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use super::text;

/// A population, its task and its judged queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// `dataset.toml`.
    pub manifest: Manifest,
    /// Sorted by `(at, id)`.
    pub interactions: Vec<Interaction>,
    /// In file order.
    pub queries: Vec<JudgedQuery>,
}

impl Dataset {
    /// Reads the folder `dir`.
    pub fn open(dir: &Path) -> Result<Self, DatasetError> {
        let manifest_path = dir.join("dataset.toml");
        let interactions_path = dir.join("interactions.jsonl");
        let queries_path = dir.join("queries.jsonl");
        let texts = [read(&manifest_path)?, read(&interactions_path)?, read_if_there(&queries_path)?];
        Self::parse([&manifest_path, &interactions_path, &queries_path], [&texts[0], &texts[1], &texts[2]])
    }

    /// Reads everything of the folder `dir` but its interactions, which may be many.
    pub fn head(dir: &Path) -> Result<Self, DatasetError> {
        let paths = ["dataset.toml", "interactions.jsonl", "queries.jsonl"].map(|name| dir.join(name));
        let texts = [read(&paths[0])?, String::new(), read_if_there(&paths[2])?];
        Self::parse_any(paths.each_ref().map(PathBuf::as_path), texts.each_ref().map(String::as_str))
    }

    /// Reads the three files' texts; `paths` name them in messages.
    pub fn parse(paths: [&Path; 3], texts: [&str; 3]) -> Result<Self, DatasetError> {
        let dataset = Self::parse_any(paths, texts)?;
        if dataset.interactions.is_empty() {
            return Err(DatasetError::Empty { path: paths[1].to_owned() });
        }
        if let Some(reason) = dataset.manifest.period_fault(dataset.interactions.iter().map(|i| (i.at, i.id.as_str())))
        {
            return Err(DatasetError::Manifest { path: paths[0].to_owned(), reason });
        }
        Ok(dataset)
    }

    fn parse_any(paths: [&Path; 3], texts: [&str; 3]) -> Result<Self, DatasetError> {
        let mut manifest: Manifest = toml::from_str(texts[0]).map_err(|error| {
            let line = error.span().map(|span| text::line_of(texts[0].as_bytes(), span.start));
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            DatasetError::Manifest { path: paths[0].to_owned(), reason: format!("{place}{}", error.message()) }
        })?;
        if let Some(reason) = manifest.fault() {
            return Err(DatasetError::Manifest { path: paths[0].to_owned(), reason });
        }
        manifest.retrieval.embedder.load(paths[0].parent().unwrap_or(Path::new(".")))?;
        let responses = Responses::of(&manifest);
        let refused = |path: &Path, line: usize, reason| DatasetError::Line { path: path.to_owned(), line, reason };
        let fitting = |path: &Path, line: usize, what: &str, response: &mut String| {
            responses.fit(what, response).map_err(|reason| refused(path, line, reason))
        };

        let mut ids = HashSet::new();
        let mut interactions = Vec::new();
        for read in json_lines::<Interaction>(paths[1], texts[1]) {
            let (line, mut interaction) = read?;
            interaction.fault().map_or(Ok(()), |reason| Err(refused(paths[1], line, reason)))?;
            fitting(paths[1], line, "response", &mut interaction.response)?;
            unique(&mut ids, paths[1], line, &interaction.id)?;
            interactions.push(interaction);
        }
        drop(ids);
        interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));

        let mut ids = HashSet::new();
        let mut queries = Vec::new();
        for read in json_lines::<JudgedQuery>(paths[2], texts[2]) {
            let (line, mut query) = read?;
            query.fault().map_or(Ok(()), |reason| Err(refused(paths[2], line, reason)))?;
            if let Some(gold) = &mut query.gold {
                fitting(paths[2], line, "gold", gold)?;
            }
            unique(&mut ids, paths[2], line, &query.id)?;
            queries.push(query);
        }
        Ok(Self { manifest, interactions, queries })
    }

    /// Writes the folder `dir`, which is created. Each file appears whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<(), DatasetError> {
        fs::create_dir_all(dir).map_err(|source| DatasetError::Write { path: dir.to_owned(), source })?;
        let manifest = toml::to_string(&self.manifest)
            .map_err(|error| DatasetError::Manifest { path: dir.join("dataset.toml"), reason: error.to_string() })?;
        write_whole(&dir.join("dataset.toml"), manifest.as_bytes())?;
        write_whole(&dir.join("interactions.jsonl"), &to_json_lines(&self.interactions))?;
        write_whole(&dir.join("queries.jsonl"), &to_json_lines(&self.queries))
    }

    /// A fingerprint of everything the dataset says: equal content, equal value.
    pub fn content_hash(&self) -> String {
        self.hashed(Content::of(&self.manifest))
    }

    /// The same of its records alone, whatever is set.
    pub fn records_hash(&self) -> String {
        self.hashed(Content::bare())
    }

    fn hashed(&self, mut content: Content) -> String {
        self.interactions.iter().for_each(|interaction| content.take(interaction));
        content.end(&self.queries)
    }

    /// The second after the last interaction: the moment at which all of the data is past.
    pub fn end(&self) -> Timestamp {
        self.interactions.last().map_or(Timestamp(0), |last| Timestamp(last.at.0.saturating_add(1)))
    }

    /// Brings `response` into the form that it has in this dataset, `4.0` into `4`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with one that does not fit the task, and what to do.
    pub fn fit(&self, response: &mut String) -> Result<(), String> {
        Responses::of(&self.manifest).fit("response", response)
    }

    /// Everyone who acts or asks, sorted.
    pub fn users(&self) -> BTreeSet<UserId> {
        let acting = self.interactions.iter().map(|i| i.user.clone());
        acting.chain(self.queries.iter().map(|q| q.user.clone())).collect()
    }
}

/// What a dataset says, record by record, and its fingerprint.
pub(super) struct Content {
    hasher: blake3::Hasher,
    line: Vec<u8>,
}

impl Content {
    /// Settings come first.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let mut content = Self::bare();
        content.hasher.update(toml::to_string(manifest).unwrap_or_default().as_bytes());
        content
    }

    /// Without settings.
    fn bare() -> Self {
        Self { hasher: blake3::Hasher::new(), line: Vec::new() }
    }

    /// A record of a file, as it is written there.
    pub(super) fn take(&mut self, record: &impl Serialize) {
        self.line.clear();
        write_line(&mut self.line, record);
        self.hasher.update(&self.line);
    }

    /// Judged queries come last.
    pub(super) fn end(mut self, queries: &[JudgedQuery]) -> String {
        queries.iter().for_each(|query| self.take(query));
        self.hasher.finalize().to_hex().to_string()
    }
}

fn read(path: &Path) -> Result<String, DatasetError> {
    let bytes = fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    let text = text::decode(&bytes);
    let fault = |fault: text::NotUtf8| DatasetError::Line {
        path: path.to_owned(),
        line: fault.line,
        reason: fault.to_string(),
    };
    text.map(str::to_owned).map_err(fault)
}

/// The same of a file that may be missing, which says as little as an empty one.
fn read_if_there(path: &Path) -> Result<String, DatasetError> {
    match read(path) {
        Err(DatasetError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text,
    }
}

/// The records of a JSON Lines text with their line numbers; blank lines are skipped.
fn json_lines<'a, T: DeserializeOwned>(
    path: &'a Path,
    text: &'a str,
) -> impl Iterator<Item = Result<(usize, T), DatasetError>> + 'a {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(index, line)| match serde_json::from_str(line) {
        Ok(record) => Ok((index + 1, record)),
        Err(error) => {
            let reason = format!("{}; correct or remove the line", text::json_fault(&error));
            Err(DatasetError::Line { path: path.to_owned(), line: index + 1, reason })
        }
    })
}

/// Remembers an id by 128 bits of its hash, which no two share: of millions, the ids themselves would take more room than
/// their words.
fn unique(seen: &mut HashSet<[u8; 16]>, path: &Path, line: usize, id: &str) -> Result<(), DatasetError> {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    if seen.insert(hash) {
        return Ok(());
    }
    let reason = format!("id '{id}' stands twice; ids are unique within a file");
    Err(DatasetError::Line { path: path.to_owned(), line, reason })
}

fn to_json_lines<T: Serialize>(records: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    records.iter().for_each(|record| write_line(&mut out, record));
    out
}

fn write_line(out: &mut Vec<u8>, record: &impl Serialize) {
    // Records are maps with string keys; writing them to memory cannot fail.
    if serde_json::to_writer(&mut *out, record).is_ok() {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "format = 1\nname = \"t\"\ntask = \"labels\"\nlabels = [\"a\", \"b\"]\n";

    fn parse(manifest: &str, interactions: &str, queries: &str) -> Result<Dataset, String> {
        let paths = [Path::new("dataset.toml"), Path::new("interactions.jsonl"), Path::new("queries.jsonl")];
        Dataset::parse(paths, [manifest, interactions, queries]).map_err(|error| error.to_string())
    }

    fn line(id: &str, at: i64, response: &str) -> String {
        format!("{{\"id\":\"{id}\",\"user\":\"u\",\"at\":{at},\"query\":\"q\",\"response\":\"{response}\"}}\n")
    }

    #[test]
    fn interactions_come_out_in_time_order() {
        let text = line("2", 20, "a") + &line("1", 10, "b");
        let dataset = parse(MANIFEST, &text, "").unwrap();
        assert_eq!(dataset.interactions[0].id, "1");
        assert_eq!(dataset.end(), Timestamp(21));
    }

    #[test]
    fn bad_input_is_refused_with_place_value_and_remedy() {
        let good = line("1", 10, "a");
        for (manifest, interactions, queries, expected) in [
            ("name = 3", good.as_str(), "", "dataset.toml: line 1"),
            (&MANIFEST.replace("\"labels\"", "\"lables\""), &good, "", "dataset.toml: line 3"),
            (&MANIFEST.replace("\"b\"", "\"a\""), &good, "", "names 'a' twice"),
            (&format!("{MANIFEST}[retrieval]\nlexical-share = 2.0\n"), &good, "", "'retrieval.lexical-share' is 2"),
            (&MANIFEST.replace("\"t\"", "\"t\\u001b[2J\""), &good, "", "'t␛[2J' holds a control character"),
            (&MANIFEST.replace("\"b\"", "\" \""), &good, "", "empty label"),
            (&format!("{MANIFEST}colour = 1\n"), &good, "", "unknown field `colour`"),
            (
                &format!("{MANIFEST}metric = \"nonsense\"\n"),
                &good,
                "",
                "dataset.toml: 'metric' is 'nonsense'; a labels task is judged by one of accuracy, balanced_accuracy",
            ),
            (&format!("{MANIFEST}metric = \"mae\"\n"), &good, "", "'metric' is 'mae'; a labels task"),
            (MANIFEST, "", "", "holds no interaction"),
            (MANIFEST, &format!("{good}{good}"), "", "interactions.jsonl:2: id '1' stands twice"),
            (MANIFEST, &line("1", 10, "c"), "", "interactions.jsonl:1: response 'c' is not a label"),
            (
                MANIFEST,
                &(good.clone() + &line(" ", 10, "a")),
                "",
                "interactions.jsonl:2: \"id\" is blank; give it a text",
            ),
            (MANIFEST, &good.replace("\"u\"", "\"\""), "", "interactions.jsonl:1: \"user\" is blank; give it a text"),
            (MANIFEST, &good.replace("\"q\"", "\"\\t\""), "", "interactions.jsonl:1: \"query\" is blank"),
            (
                MANIFEST,
                &good,
                "{\"id\":\"q\",\"user\":\"u\",\"at\":9,\"query\":\" \"}",
                "queries.jsonl:1: \"query\" is blank",
            ),
            (MANIFEST, &format!("{good}{{oops"), "", "interactions.jsonl:2:"),
            (MANIFEST, &good, "{\"id\":\"q\",\"user\":\"u\",\"at\":\"soon\",\"query\":\"q\"}", "'soon' is not a time"),
        ] {
            let message = parse(manifest, interactions, queries).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    const RATING: &str = "format = 1\nname = \"t\"\ntask = \"rating\"\nscale = { low = 0.5, high = 5.0, step = 0.5 }\n";
    const TEXT: &str = "format = 1\nname = \"t\"\ntask = \"text\"\n";

    #[test]
    fn scores_and_texts_are_read_and_written_back() {
        let query =
            |gold: &str| format!("{{\"id\":\"q\",\"user\":\"u\",\"at\":9,\"query\":\"q\",\"gold\":\"{gold}\"}}");
        let rated = parse(
            &format!("{RATING}metric = \"rmse\"\n"),
            &(line("1", 10, "4.0") + &line("2", 11, "0.5")),
            &query("3.50"),
        )
        .unwrap();
        assert_eq!((rated.interactions[0].response.as_str(), rated.queries[0].gold.as_deref()), ("4", Some("3.5")));
        let responses = rated.manifest.responses();
        assert_eq!((responses.len(), responses[0].as_str(), responses[9].as_str()), (10, "0.5", "5"));
        assert!(rated.interactions.iter().all(|i| responses.contains(&i.response)));
        let written = parse(TEXT, &line("1", 10, " Any headline "), &query("gold")).unwrap();
        assert_eq!(written.interactions[0].response, " Any headline ");
        assert_eq!(written.manifest.responses()[1], "question", "forms stand in the place of labels");
        assert_eq!(written.manifest.places().of("Really?"), Some(1));
        assert_eq!((rated.manifest.places().of("0.5"), rated.manifest.places().of("0.7")), (Some(0), None));
        for dataset in [rated, written] {
            let dir = tempfile::tempdir().unwrap();
            dataset.write(dir.path()).unwrap();
            assert_eq!(Dataset::open(dir.path()).unwrap(), dataset);
        }
    }

    #[test]
    fn a_response_that_does_not_fit_its_task_is_refused() {
        let good = line("1", 10, "4");
        for (manifest, interactions, expected) in [
            (
                RATING,
                line("1", 10, "4.2"),
                "interactions.jsonl:1: response '4.2' is no score on the scale 0.5 to 5 by 0.5",
            ),
            (RATING, line("1", 10, "5.5"), "'5.5' is no score"),
            (RATING, line("1", 10, "good"), "'good' is no score"),
            (TEXT, line("1", 10, "  "), "interactions.jsonl:1: response is blank"),
            (&RATING.replace("scale", "#"), good.clone(), "'scale' is missing"),
            (&RATING.replace("0.5 }", "0.4 }"), good.clone(), "does not reach 5 from 0.5"),
            (
                &format!("{RATING}metric = \"log_loss\"\n"),
                good.clone(),
                "'metric' is 'log_loss'; a rating task is judged by one of mae, rmse",
            ),
            (
                &format!("{RATING}labels = [\"a\"]"),
                good.clone(),
                "'labels' belongs to a labels task, this one is rating",
            ),
            (
                &RATING.replace("\"rating\"", "\"text\""),
                good.clone(),
                "'scale' belongs to a rating task, this one is text",
            ),
        ] {
            let message = parse(manifest, &interactions, "").unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn newer_retrieval_settings_are_written_only_where_they_say_something() {
        let plain = parse(MANIFEST, &line("1", 10, "a"), "").unwrap().manifest;
        let written = toml::to_string(&plain).unwrap();
        for name in ["fusion", "bm25", "rrf-k", "diversity", "label-cap"] {
            assert!(
                !written.contains(&format!("{name} =")),
                "{name} would change the content hash of every older folder"
            );
        }
        let turned = format!(
            "{MANIFEST}[retrieval]\nfusion = \"rrf\"\nbm25 = \"lamp\"\nrrf-k = 10.0\ndiversity = 0.7\nlabel-cap = 2\n"
        );
        let turned = parse(&turned, &line("1", 10, "a"), "").unwrap().manifest;
        assert_eq!(turned.retrieval.fusion, Fusion::Rrf);
        assert_eq!(toml::from_str::<Manifest>(&toml::to_string(&turned).unwrap()).unwrap(), turned);
        for (setting, expected) in [
            ("fusion = \"magic\"", "unknown variant `magic`"),
            ("diversity = 1.5", "'retrieval.diversity' is 1.5; give a number from 0 to 1"),
            ("rrf-k = -1.0", "'retrieval.rrf-k' is -1"),
            ("label-cap = 0", "'retrieval.label-cap' is 0"),
        ] {
            let message = parse(&format!("{MANIFEST}[retrieval]\n{setting}\n"), &line("1", 10, "a"), "").unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_period_has_one_length() {
        let rows: String = (0..2001).map(|n| line(&n.to_string(), n, "a")).collect();
        let length = |periods: &str| {
            parse(&format!("{MANIFEST}{periods}"), &rows, "").map(|dataset| dataset.manifest.periods.length)
        };
        assert_eq!(length(""), Ok(PeriodLength::Days(90.0)));
        assert_eq!(length("[periods]\nhalf-life = 3.0\n"), Ok(PeriodLength::Days(90.0)));
        assert_eq!(length("[periods]\ndays = 7\n"), Ok(PeriodLength::Days(7.0)));
        assert_eq!(length("[periods]\ninteractions = 3\n"), Ok(PeriodLength::Interactions(3)));
        for (periods, expected) in [
            ("days = 7.0\ninteractions = 3", "line 5: 'periods' has both 'days' and 'interactions'; keep one of them"),
            ("interactions = 0", "'periods.interactions' is 0; give 1 or more"),
            ("interactions = 2", "would cut 2001 interactions into more than 1000 periods; give 3 or more"),
            (
                "days = 1e-5",
                "'periods.days' is 0.00001, which would cut 0.0 days into more than 1000 periods; give 0.01 or more, unless \
                 the time of the earliest interaction '0', 1970-01-01T00:00:00Z, or of the latest '2000', \
                 1970-01-01T00:33:20Z, is wrong",
            ),
            ("weeks = 2", "unknown field `weeks`"),
        ] {
            let message = length(&format!("[periods]\n{periods}\n")).unwrap_err();
            assert!(message.starts_with("dataset.toml: ") && message.contains(expected), "{message}");
        }
        let mut counted = parse(MANIFEST, &line("1", 10, "a"), "").unwrap().manifest;
        assert!(toml::to_string(&counted).unwrap().contains("[periods]\ndays = 90.0\nhalf-life = 365.0\n"));
        counted.periods.length = PeriodLength::Interactions(500);
        let written = toml::to_string(&counted).unwrap();
        assert!(written.contains("interactions = 500") && !written.contains("days ="), "{written}");
        assert_eq!(toml::from_str::<Manifest>(&written).unwrap(), counted);
    }

    #[test]
    fn a_folder_without_judged_queries_needs_no_file_of_them() {
        let dataset = parse(MANIFEST, &line("1", 10, "a"), "").unwrap();
        let dir = tempfile::tempdir().unwrap();
        dataset.write(dir.path()).unwrap();
        fs::remove_file(dir.path().join("queries.jsonl")).unwrap();
        assert_eq!(Dataset::open(dir.path()).unwrap(), dataset);
        assert_eq!(Dataset::head(dir.path()).unwrap().queries, []);
        // What is there has to be readable, and the other files have to be there.
        fs::create_dir(dir.path().join("queries.jsonl")).unwrap();
        assert!(Dataset::open(dir.path()).unwrap_err().to_string().contains("queries.jsonl: cannot be read"));
        fs::remove_dir(dir.path().join("queries.jsonl")).unwrap();
        fs::remove_file(dir.path().join("interactions.jsonl")).unwrap();
        assert!(Dataset::open(dir.path()).unwrap_err().to_string().contains("interactions.jsonl: cannot be read"));
    }

    #[test]
    fn a_written_folder_reads_back_equal() {
        let mut dataset = parse(MANIFEST, &line("1", 10, "a"), "").unwrap();
        dataset.manifest.retrieval.recency_half_life = f64::INFINITY;
        let dir = tempfile::tempdir().unwrap();
        dataset.write(dir.path()).unwrap();
        let back = Dataset::open(dir.path()).unwrap();
        assert_eq!(back, dataset);
        assert_eq!(back.content_hash(), dataset.content_hash());
    }
}
