//! The responses that fit a task, and the form that it gives them.

use std::collections::HashSet;

use super::{Manifest, TaskKind};
use crate::data::sanitize::visible;
use crate::data::scale::Scale;

/// The responses that fit a task.
pub(in crate::data) enum Responses<'a> {
    Labels(HashSet<&'a str>),
    Scale(Scale),
    Text,
}

impl<'a> Responses<'a> {
    pub(in crate::data) fn of(manifest: &'a Manifest) -> Self {
        match (manifest.task, manifest.scale) {
            (TaskKind::Rating, Some(scale)) => Self::Scale(scale),
            (TaskKind::Text, _) => Self::Text,
            _ => Self::Labels(manifest.labels.iter().map(String::as_str).collect()),
        }
    }

    /// Brings `response` into the form that the task gives it, or says why it has none.
    pub(in crate::data) fn fit(&self, what: &str, response: &mut String) -> Result<(), String> {
        match self {
            Self::Labels(labels) if labels.contains(response.as_str()) => Ok(()),
            Self::Labels(_) => {
                let response = visible(response);
                Err(format!("{what} '{response}' is not a label of dataset.toml; add it there or correct the line"))
            }
            Self::Scale(scale) => {
                let score = scale.score(response).ok_or_else(|| {
                    let response = visible(response);
                    format!("{what} '{response}' is no score on the scale {scale}; correct the line or the scale")
                })?;
                *response = score;
                Ok(())
            }
            Self::Text if response.trim().is_empty() => {
                Err(format!("{what} is blank; give it a text or remove the line"))
            }
            Self::Text => Ok(()),
        }
    }
}
