//! Rows: one question with every predictor's answer, as `eval --format json --rows` writes and `compare` reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::judge::{Contestant, Material};
use super::metrics::TaskMeasures;
use crate::data::interaction::{Timestamp, UserId};

/// One question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Who asked.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// The person's own items before it.
    pub visible: usize,
    /// The right answer.
    pub gold: String,
    /// By predictor.
    pub answers: BTreeMap<String, RowAnswer>,
}

/// One predictor's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowAnswer {
    /// The label, or the score nearest to what was predicted.
    pub answer: String,
    /// The probability of the right one, where probabilities were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_gold: Option<f64>,
    /// Of ratings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// Of ratings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
}

impl Row {
    /// The rows behind `material`; `names` are the task's answers.
    pub fn all(material: &Material, names: &[String]) -> Vec<Self> {
        let answer = |contestant: &Contestant, row: usize| {
            let answer = &contestant.answers[row];
            let score = match &material.measures {
                TaskMeasures::Labels(_) | TaskMeasures::Text(_) => None,
                TaskMeasures::Rating(steps) => {
                    let named = steps[answer.decision];
                    Some(answer.score.map_or((named, named), |score| (score.median, score.mean)))
                }
            };
            RowAnswer {
                answer: names[answer.decision].clone(),
                p_gold: answer.distribution.as_ref().map(|p| p[material.questions[row].gold]),
                median: score.map(|(median, _)| median),
                mean: score.map(|(_, mean)| mean),
            }
        };
        let rows = material.questions.iter().enumerate().map(|(row, question)| Self {
            id: question.id.to_owned(),
            user: question.user.clone(),
            at: question.at,
            visible: material.visible[row],
            gold: names[question.gold].clone(),
            answers: material.contestants().map(|c| (c.name.to_owned(), answer(c, row))).collect(),
        });
        rows.collect()
    }
}
