//! MovieLens (CSV folders such as ml-latest-small) as a `rating` task: how would this person rate this film?
//!
//! user = `userId`, time = `timestamp`, query = title and genres, response = `rating`, item = `movieId`; the film's genres
//! and year stand in `attributes`. Tags are no ratings: they are counted and left aside.
//!
//! Order of checking: user, time, film (missing, then unknown), rating (missing, then off the scale).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::csv::Delimiter;
use super::mapped::read_time;
use super::{
    ImportError, Mapping, Reason, Records, Rejection, Report, Source, Syntax, Watch, import, rating_task, row_id,
};
use crate::data::dataset::{Manifest, TaskKind, Wording};
use crate::data::interaction::{Extra, Interaction, UserId};
use crate::data::sanitize::visible;
use crate::data::scale::Scale;

/// The name a dataset gets unless another is asked for.
pub const NAME: &str = "movielens";

/// Stars.
const SCALE: Scale = Scale { low: 0.5, high: 5.0, step: 0.5 };
/// What stands where a film has no genre.
const NO_GENRES: &str = "(no genres listed)";

/// Streams the MovieLens folder `dir` into the dataset folder `out`; without one the rows are only counted.
pub fn import_folder(dir: &Path, name: &str, out: Option<&Path>, watch: Watch<'_>) -> Result<Report, ImportError> {
    let films = Films::read(Source::file(&file(dir, "movies.csv"))?)?;
    let ratings = Source::file(&file(dir, "ratings.csv"))?;
    let mut notes = films.notes.clone();
    if let Ok(tags) = Source::file(&file(dir, "tags.csv")) {
        let (mut rows, name) = (0_u64, tags.name().to_owned());
        each_record(tags, |_, _| rows += 1)?;
        notes.push(format!("{}: {rows} rows left aside; tags are no ratings", shown(&name)));
    }
    let mut report = import(vec![ratings], &mut MovieLens { name: name.to_owned(), films }, out, watch)?;
    report.notes = notes;
    Ok(report)
}

/// The path of a file of the folder, packed or not.
fn file(dir: &Path, name: &str) -> PathBuf {
    let packed = dir.join(format!("{name}.gz"));
    if packed.is_file() { packed } else { dir.join(name) }
}

/// The name of a file as a note shows it: where it lay says nothing about the data.
fn shown(path: &Path) -> String {
    visible(&path.file_name().unwrap_or_default().to_string_lossy()).into_owned()
}

const SYNTAX: Syntax = Syntax::Csv { delimiter: Delimiter::COMMA, header: true };

/// Calls `each` with the line and the fields of every record.
fn each_record(source: Source, mut each: impl FnMut(u64, Result<Extra, Reason>)) -> Result<(), ImportError> {
    let name = source.name().to_owned();
    let wrap = ImportError::reading(&name);
    let mut records = Records::of(source.open().map_err(&wrap)?, SYNTAX).map_err(&wrap)?;
    while let Some(record) = records.next(&false.into()).map_err(&wrap)? {
        each(record.line, record.fields);
    }
    Ok(())
}

/// A film as its raters' queries show it.
struct Film {
    query: String,
    attributes: Value,
}

/// `movies.csv`: held whole, there are tens of thousands of films to millions of ratings.
struct Films {
    films: HashMap<String, Film>,
    notes: Vec<String>,
}

impl Films {
    fn read(source: Source) -> Result<Self, ImportError> {
        let path = source.name().to_owned();
        let (mut films, mut bad, mut first) = (HashMap::new(), 0_u64, 0);
        each_record(source, |line, fields| match fields.ok().and_then(|fields| film(&fields)) {
            Some((id, film)) => {
                films.insert(id, film);
            }
            None => {
                bad += 1;
                first = if bad == 1 { line } else { first };
            }
        })?;
        let notes =
            (bad > 0).then(|| format!("{}: {bad} rows without id or title, the first in line {first}", shown(&path)));
        Ok(Self { films, notes: notes.into_iter().collect() })
    }
}

/// A film and its id.
fn film(fields: &Extra) -> Option<(String, Film)> {
    let (id, title) = (field(fields, "movieId")?, field(fields, "title")?);
    let genres: Vec<&str> = field(fields, "genres")
        .filter(|genres| *genres != NO_GENRES)
        .map_or(Vec::new(), |text| text.split('|').collect());
    let query = if genres.is_empty() { title.to_owned() } else { format!("{title}: {}", genres.join(", ")) };
    let mut attributes = json!({ "genres": genres });
    if let Some(year) = year(title) {
        attributes["year"] = json!(year);
    }
    Some((id.to_owned(), Film { query, attributes }))
}

/// The year at the end of a title: `Toy Story (1995)`.
fn year(title: &str) -> Option<u16> {
    let inner = title.trim_end().strip_suffix(')')?.rsplit_once('(')?.1;
    // Some run for years: (2006–2007).
    let year = inner.split(['-', '–']).next()?;
    (year.len() == 4).then(|| year.parse().ok()).flatten()
}

/// A field that is not blank.
fn field<'a>(fields: &'a Extra, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

struct MovieLens {
    name: String,
    films: Films,
}

impl Mapping for MovieLens {
    fn syntax(&self) -> Syntax {
        SYNTAX
    }

    fn task(&self) -> TaskKind {
        TaskKind::Rating
    }

    fn interaction(&mut self, row: u64, record: Extra) -> Result<Interaction, Rejection> {
        let user = field(&record, "userId").ok_or(Reason::NoUser)?;
        let time = field(&record, "timestamp").ok_or(Reason::NoTime)?;
        let at = read_time(time).ok_or_else(|| Rejection::of(Reason::BadTime, time))?;
        let item = field(&record, "movieId").ok_or(Reason::NoQuery)?;
        let film = self.films.films.get(item).ok_or_else(|| Rejection::of(Reason::UnknownFilm, item))?;
        let rating = field(&record, "rating").ok_or(Reason::NoResponse)?;
        let response = SCALE.score(rating).ok_or_else(|| Rejection::of(Reason::OffScale, rating))?;
        let extra = Extra::from_iter([("attributes".to_owned(), film.attributes.clone())]);
        let (query, item) = (film.query.clone(), Some(item.to_owned()));
        Ok(Interaction { id: row_id(row), user: UserId::new(user), at, query, response, item, extra })
    }

    fn manifest(&self, _: &Report) -> Result<Manifest, ImportError> {
        Ok(Manifest {
            licence: "GroupLens: research use, no commercial use, redistribution under the same terms".to_owned(),
            source: "MovieLens (F. M. Harper, J. A. Konstan, 2015, doi:10.1145/2827872)".to_owned(),
            prompt: Wording { query: "film".to_owned(), response: "rating".to_owned() },
            ..rating_task(&self.name, SCALE)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_read_from_titles() {
        for (title, expected) in [
            ("Toy Story (1995)", Some(1995)),
            ("City of Lost Children, The (Cité des enfants perdus, La) (1995) ", Some(1995)),
            ("Babylon 5", None),
            ("Death Note: Desu nôto (2006–2007)", Some(2006)),
            ("Hyena Road", None),
            ("Moonlight (I)", None),
            ("Big (19950)", None),
        ] {
            assert_eq!(year(title), expected, "{title}");
        }
    }
}
