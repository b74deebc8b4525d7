//! Predictions as LaMP's evaluation reads them: `{"task": "LaMP_2N", "golds": [{"id": "10", "output": "politics"}]}`.
//!
//! The key is `golds` for predictions too. Ids are those of the questions: the evaluation wants exactly the same set.

use std::io::Write;

use serde::{Deserialize, Serialize};

/// One question's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The question's id.
    pub id: String,
    /// What was answered: a label, a score or a text.
    pub output: String,
}

/// A file of outputs: golds or predictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The task's name, with an underscore: an imported dataset bears it unless it was named otherwise.
    pub task: String,
    /// The outputs.
    pub golds: Vec<Output>,
}

impl Outputs {
    /// Writes the file: one JSON object and a line end.
    pub fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_have_exactly_the_shape_of_golds() {
        let output = |id: &str, output: &str| Output { id: id.to_owned(), output: output.to_owned() };
        let outputs =
            Outputs { task: "LaMP_2N".to_owned(), golds: vec![output("10", "politics"), output("11", "food & drink")] };
        let mut written = Vec::new();
        outputs.write(&mut written).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(
            text,
            "{\"task\":\"LaMP_2N\",\"golds\":[{\"id\":\"10\",\"output\":\"politics\"},{\"id\":\"11\",\"output\":\"food & drink\"}]}\n"
        );
        assert_eq!(serde_json::from_str::<Outputs>(&text).unwrap(), outputs);
    }
}
