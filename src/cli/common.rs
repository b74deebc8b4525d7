//! What every command is told, the dataset and the model that this names, and the folders of this program.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args};

use super::{CliError, Color, complain, model, store};
use crate::data::dataset::{Dataset, Manifest};
use crate::data::sample;
use crate::engine::download::Hub;
use crate::engine::error::EngineError;
use crate::engine::fit::{Fit, Training};
use crate::engine::model::{DeviceChoice, LoadOptions, Located, ModelSpec, Quantisation};
use crate::engine::room::Allowance;
use crate::memory::store::Store;

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Configuration file [default: config.toml in the platform's configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Dataset folder [default: the embedded sample, film-tags]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Model: `nano`, a safetensors folder, a GGUF file, `owner/name[:file.gguf]` of a hub, `http(s)://host:port/v1[#model]`
    /// of an OpenAI-compatible server (its key in OPENAI_API_KEY), or `none` for memory alone
    #[arg(long, global = true, value_name = "NAME|DIR|FILE|ID|URL", default_value = sample::MODEL, value_parser = NonEmptyStringValueParser::new())]
    pub(super) model: String,
    /// Whether a model was named at all.
    #[arg(skip)]
    pub(super) model_given: bool,
    /// What the model runs on: auto, cpu, cuda, cuda:N or metal; auto takes a GPU if there is one
    #[arg(long, global = true, value_name = "DEVICE", default_value_t)]
    pub(super) device: DeviceChoice,
    /// Make weights smaller while they are read: q2k, q3k, q4k, q5k, q6k, q4_0, q4_1, q5_0, q5_1 or q8_0
    #[arg(long, global = true, value_name = "KIND")]
    pub(super) quantize: Option<Quantisation>,
    /// Tokens of prompt and answer together that the model gets room for [default: 4096, or fewer if it knows fewer]
    #[arg(long, global = true, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(512..=16_777_216))]
    pub(super) context: Option<u32>,
    /// Memory that the model may take: 8G, 800M, or `any` to load it without looking [default: what is available]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(super) memory: Option<Allowance>,
    /// Ask nothing of a network: a model of a hub must be on this machine
    #[arg(long, global = true, action = ArgAction::Set, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub(super) offline: bool,
    /// Folder whose models the workbench offers [default: in the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) models: Option<PathBuf>,
    /// Folder for stores of large datasets [default: in the platform's cache folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
    /// Write a log to the end of this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    /// ASCII instead of Unicode glyphs
    #[arg(long, global = true, action = ArgAction::Set, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub(super) ascii: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
}

impl Common {
    /// The dataset named on the command line with what was recorded since, or the embedded one: to ask questions of.
    pub(super) fn dataset(&self) -> Result<Dataset, CliError> {
        let mut dataset = match &self.data {
            Some(dir) => {
                let dataset = Dataset::open(dir)?;
                let (dataset, notice) = Store::of_read(&self.stores(), dir, &dataset)?.with_recorded(dataset)?;
                store::tell(notice.as_slice());
                dataset
            }
            None => sample::dataset()?,
        };
        self.embed(&mut dataset)?;
        Ok(dataset)
    }

    /// The model asked for and how it is to run; `None` for memory alone.
    pub(super) fn model_spec(&self) -> Option<ModelSpec> {
        (self.model != "none").then(|| ModelSpec { name: self.model.clone(), options: self.load_options() })
    }

    /// How models are to run.
    pub(super) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            device: self.device,
            quantize: self.quantize,
            context: self.context.map(|tokens| tokens as usize),
            memory: self.memory.unwrap_or_default(),
            hub: Hub::from_environment(cache_folder(), self.offline),
            models: Some(self.models.clone().unwrap_or_else(models_folder)),
        }
    }

    /// Where the model is; `None` for memory alone. A model of a hub is downloaded first.
    pub(super) fn model_place(&self) -> Result<Option<Located>, CliError> {
        self.model_spec().map(|spec| model::located(&spec)).transpose()
    }

    /// What the model at `place` was made for.
    pub(super) fn training(&self, place: &Located) -> Result<Training, EngineError> {
        place.training(self.model == sample::MODEL)
    }

    /// Where the model is to ask about a dataset, `None` for memory alone, and how the model stands to it. A model
    /// that does not fit is not asked, and standard error says why.
    pub(super) fn fitting_model(&self, manifest: &Manifest) -> Result<(Option<Located>, Fit), CliError> {
        let Some(place) = self.model_place()? else { return Ok((None, Fit::Absent)) };
        let fit = self.training(&place)?.fit(manifest);
        match fit.unable(&self.model) {
            Some(reason) => {
                complain(&reason.to_string());
                Ok((None, fit))
            }
            None => Ok((Some(place), fit)),
        }
    }
}

/// The platform's cache folder for this program; a temporary one where there is no home.
pub fn cache_folder() -> PathBuf {
    directories::ProjectDirs::from("", "", "logoscope")
        .map_or_else(|| std::env::temp_dir().join("logoscope"), |dirs| dirs.cache_dir().to_owned())
}

/// The platform's data folder for this program.
fn data_folder() -> PathBuf {
    let folder = directories::ProjectDirs::from("", "", "logoscope").map(|dirs| dirs.data_local_dir().to_owned());
    folder.unwrap_or_else(|| std::env::temp_dir().join("logoscope"))
}

/// Where models lie that the workbench offers.
pub(super) fn models_folder() -> PathBuf {
    data_folder().join("models")
}

/// Where tries are kept.
pub(super) fn tries_folder() -> PathBuf {
    data_folder().join("tries")
}

/// Where prose profiles are kept: in the platform's cache folder for this program.
pub(super) fn profiles_folder() -> PathBuf {
    cache_folder().join("profiles")
}

/// Where live use is recorded: under the platform's state folder for this program.
pub(super) fn sessions_folder() -> PathBuf {
    let state = |dirs: directories::ProjectDirs| dirs.state_dir().unwrap_or(dirs.data_local_dir()).to_owned();
    let folder = directories::ProjectDirs::from("", "", "logoscope").map(state);
    folder.unwrap_or_else(|| std::env::temp_dir().join("logoscope")).join("sessions")
}
