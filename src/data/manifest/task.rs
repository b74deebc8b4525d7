//! Kinds of tasks, and the metrics that judge each.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of answer a task wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of a fixed set of labels.
    Labels,
    /// A score on an ordinal scale.
    Rating,
    /// Free text.
    Text,
}

impl TaskKind {
    /// Names of the metrics that say how well it is done. They are computed by a module that this one may not know; a test
    /// there holds the two together.
    pub fn metrics(self) -> &'static [&'static str] {
        const OF_TEXTS: [&str; 10] = [
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            "log_loss",
            "brier",
            "calibration_error",
            "entropy",
            "length_error",
            "rouge1",
            "rougeL",
        ];
        match self {
            // Of texts the form is judged as a label is.
            TaskKind::Labels => &OF_TEXTS[..7],
            TaskKind::Rating => &["mae", "rmse"],
            TaskKind::Text => &OF_TEXTS,
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TaskKind::Labels => "labels",
            TaskKind::Rating => "rating",
            TaskKind::Text => "text",
        })
    }
}
