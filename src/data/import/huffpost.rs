//! HuffPost News Category (JSON Lines) as a task like LaMP-2N: which of 15 categories would this author's desk give an
//! article?
//!
//! user = `authors`, time = `date` at midnight UTC, query = `short_description`, response = `category` mapped to a
//! label, item = `headline`. `headline`, `link` and the original `category` stay as extra fields.
//!
//! Order of checking: authors, short description, category, date, duplicate headline and date. The duplicate check comes
//! last, so a row is a duplicate only of a row that was kept; without a headline it is none.

use serde_json::Value;

use super::seen::Seen;
use super::{ImportError, Mapping, Reason, Rejection, Report, extra, labels_task, row_id};
use crate::data::dataset::{Lexical, Manifest, Periods, Retrieval, WeightDefaults, Wording};
use crate::data::interaction::{Extra, Interaction, Timestamp, UserId};

/// The name a dataset gets unless another is asked for.
pub const NAME: &str = "huffpost";

/// The labels with the categories that become them.
const LABELS: [(&str, &[&str]); 15] = [
    ("women", &["WOMEN"]),
    ("religion", &["RELIGION"]),
    ("politics", &["POLITICS"]),
    ("style & beauty", &["STYLE & BEAUTY", "STYLE"]),
    ("entertainment", &["ENTERTAINMENT"]),
    ("culture & arts", &["CULTURE & ARTS", "ARTS & CULTURE", "ARTS"]),
    ("sports", &["SPORTS"]),
    ("science & technology", &["SCIENCE", "TECH"]),
    ("travel", &["TRAVEL"]),
    ("business", &["BUSINESS", "MONEY"]),
    ("crime", &["CRIME"]),
    ("education", &["EDUCATION", "COLLEGE"]),
    ("healthy living", &["HEALTHY LIVING", "WELLNESS"]),
    ("parents", &["PARENTS", "PARENTING"]),
    ("food & drink", &["FOOD & DRINK", "TASTE"]),
];

/// The label of a category.
fn label(category: &str) -> Option<&'static str> {
    LABELS.iter().find(|(_, categories)| categories.contains(&category)).map(|(label, _)| *label)
}

/// The mapping, with the articles it has kept.
pub struct HuffPost {
    name: String,
    kept: Seen,
}

impl HuffPost {
    /// The mapping of a dataset that will be called `name`.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), kept: Seen::new() }
    }
}

impl Mapping for HuffPost {
    fn interaction(&mut self, row: u64, mut record: Extra) -> Result<Interaction, Rejection> {
        let text = |field: &str| record.get(field).and_then(Value::as_str).unwrap_or_default();
        let filled = |field: &str| Some(text(field)).filter(|text| !text.trim().is_empty());
        let authors = filled("authors").ok_or(Reason::NoAuthors)?;
        let description = filled("short_description").ok_or(Reason::NoShortDescription)?;
        let category = text("category");
        let label = label(category).ok_or_else(|| Rejection::of(Reason::OtherCategory, category))?;
        let date = text("date");
        // Written out: a bare number would otherwise be read as seconds.
        let at: Timestamp = format!("{date}T00:00:00Z").parse().map_err(|_| Rejection::of(Reason::BadDate, date))?;
        let headline = filled("headline").map(str::to_owned);
        if let Some(headline) = &headline
            && !self.kept.insert(&[headline, &at.to_string()])
        {
            return Err(Rejection::of(Reason::DuplicateArticle, headline));
        }
        let (user, query) = (UserId::new(authors), description.to_owned());
        for used in ["authors", "short_description", "date"] {
            record.shift_remove(used);
        }
        Ok(Interaction {
            id: row_id(row),
            user,
            at,
            query,
            response: label.to_owned(),
            item: headline,
            extra: extra(record),
        })
    }

    fn manifest(&self, _: &Report) -> Result<Manifest, ImportError> {
        // All 15, also those that no row has: the task is to choose among them.
        let labels = LABELS.iter().map(|(label, _)| (*label).to_owned()).collect();
        Ok(Manifest {
            licence: "listed as CC BY 4.0; unconfirmed; texts are HuffPost's".to_owned(),
            source: "News Category Dataset v3 (R. Misra), articles of HuffPost".to_owned(),
            prompt: Wording { query: "article".to_owned(), response: "category".to_owned() },
            // News turns fast: what desks write about now says more than what they wrote about last year.
            periods: Periods { base_half_life: 90.0, ..Periods::default() },
            retrieval: Retrieval { lexical: Lexical::Cosine, lexical_share: 1.0, ..Retrieval::default() },
            weights: WeightDefaults {
                prior_strength_product: Some(0.1),
                prior_strength_shrinkage: None,
                similarity_sharpness: Some(10.0),
                half_life: Some(180.0),
                // Communities of authors were measured to add nothing here.
                community_focus: Some(0.0),
                half_life_unit: None,
            },
            ..labels_task(&self.name, labels)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_without_a_headline_are_no_duplicates_of_each_other() {
        let mut mapping = HuffPost::named("news");
        let mut read = |headline: &str| {
            let row = format!(
                r#"{{"authors": "A", "short_description": "T.", "category": "TECH", "date": "2020-03-01"{headline}}}"#
            );
            mapping.interaction(1, serde_json::from_str(&row).unwrap()).map(|article| article.item)
        };
        for headline in ["", "", r#", "headline": """#, r#", "headline": " ""#] {
            assert_eq!(read(headline), Ok(None), "{headline}");
        }
        assert_eq!(read(r#", "headline": "H""#), Ok(Some("H".to_owned())));
        assert_eq!(read(r#", "headline": "H""#), Err(Rejection::of(Reason::DuplicateArticle, "H")));
    }
}
