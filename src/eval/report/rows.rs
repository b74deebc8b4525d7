//! The rows behind an assessment, one a query (RFC 4180): who asked what when, and each predictor's answer with the
//! probability it gave the right one.

use std::borrow::Cow;

use crate::data::sanitize::visible;
use crate::eval::judge::Material;

/// All rows with a header; `names` are the task's labels, `embedder` made the vectors. An absent probability is an empty
/// field.
pub fn csv(material: &Material, names: &[String], embedder: &str) -> String {
    let mut out = String::from("id,user,at,visible,gold");
    material.contestants().for_each(|c| out.push_str(&format!(",{0},{0}_p_gold", c.name)));
    out.push_str(",embedder\r\n");
    for (row, question) in material.questions.iter().enumerate() {
        let (at, visible_items) = (question.at.to_string(), material.visible[row].to_string());
        let start = [question.id, question.user.as_str(), &at, &visible_items, &names[question.gold]];
        let mut cells: Vec<String> = start.iter().map(|cell| field(cell).into_owned()).collect();
        for contestant in material.contestants() {
            let answer = &contestant.answers[row];
            cells.push(field(&names[answer.decision]).into_owned());
            cells.push(answer.distribution.as_ref().map_or_else(String::new, |p| p[question.gold].to_string()));
        }
        cells.push(field(embedder).into_owned());
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// Text of the data as one field: harmless to a terminal, quoted where it must be.
pub(super) fn field(text: &str) -> Cow<'_, str> {
    let text = visible(text);
    if text.contains([',', '"']) || text.starts_with(' ') || text.ends_with(' ') {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_survive_commas_quotes_and_hostile_text() {
        for (text, expected) in [
            ("plain", "plain"),
            ("Smith, Ann", "\"Smith, Ann\""),
            ("the \"desk\"", "\"the \"\"desk\"\"\""),
            ("a\nb\u{1b}", "a b␛"),
        ] {
            assert_eq!(field(text), expected);
        }
    }
}
