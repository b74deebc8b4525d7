//! The in-process engine: mistral.rs on the processor, in 32-bit floats. The one place that knows the library's types.
//!
//! Invariants:
//! * No network: the library is given the paths of files that exist, never a name it could look up.
//! * Every request streams, so that dropping its receiver cancels it instead of killing the library's thread, and its
//!   channel holds the whole answer, so that the library never waits for a slow reader.
//! * Token ids come from our own step in the sampler, not from the text the library streams: that text loses leading
//!   spaces, special tokens and unfinished characters.
//! * The library holds one sequence at a time.
//! * Answers are greedy and equal from run to run; scores are taken from the model's whole distribution, in the same
//!   pass as the answer's first token.

mod answer;
mod chat;
mod folder;
mod text;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use mistralrs::core::{
    AdapterPaths, AddModelConfig, EngineConfig, LocalModelPaths, ModelPaths, NormalLoaderBuilder, NormalSpecificConfig,
};
use mistralrs::model_builder_trait::build_model_from_pipeline;
use mistralrs::{DefaultSchedulerMethod, Device, DeviceMapSetting, Model, ModelDType, SchedulerConfig};
use tokenizers::Tokenizer;

use super::engine::{Cancel, Caps, Engine, Form, GenRequest, Generation, LoadStage, ScoreKind};
use super::error::{EngineError, first_line, panic_text};
use super::stdio::{ENGINE_THREAD_PREFIX, quiet_engine_panics};
use answer::{Answering, Turns};
use chat::Template;
use folder::ModelFolder;

/// Requests the library may hold at once: see [`Turns`].
const REQUESTS_AT_ONCE: NonZero<usize> = NonZero::<usize>::MIN;

/// A model that runs in this process.
pub struct LocalEngine {
    caps: Caps,
    core: Arc<Core>,
}

/// What a running answer needs of the engine; it keeps the model alive until the answer has ended.
struct Core {
    model: Model,
    tokenizer: Tokenizer,
    /// Ids below this have a text; the model's own vocabulary may be padded beyond it.
    vocabulary: usize,
    ends: Vec<u32>,
    max_context: usize,
    turns: Arc<Turns>,
}

impl LocalEngine {
    /// Loads the model in the folder `dir`: `config.json`, `tokenizer.json` and one set of safetensors files.
    pub fn load(dir: &Path) -> Result<Self, EngineError> {
        Self::load_observed(dir, &|_| {})
    }

    /// As [`load`](Self::load), telling `observe` how far it is.
    pub fn load_observed(dir: &Path, observe: &dyn Fn(LoadStage)) -> Result<Self, EngineError> {
        quiet_engine_panics();
        let refused = |reason: String, remedy: &str| EngineError::Load {
            path: dir.to_owned(),
            reason,
            remedy: remedy.to_owned(),
        };
        observe(LoadStage::Checking);
        let folder = ModelFolder::inspect(dir)?;
        observe(LoadStage::Weights);
        let (home, weights) = (folder.dir.clone(), folder.weights.clone());
        let template = Template::find(&folder.dir, &folder.tokenizer);
        let shown = template.as_ref().map(|template| template.path.clone());
        let model = on_fresh_thread(move || build(home, weights, shown))
            .map_err(|reason| refused(reason, "check that config.json belongs to these weights"))?;
        let name = folder.dir.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
        let core = Core {
            model,
            vocabulary: folder.tokenizer.get_vocab_size(true),
            tokenizer: folder.tokenizer,
            // Where the library stops, an answer has to have ended.
            ends: folder.ends.into_iter().chain(template.iter().flat_map(|t| t.ends.iter().copied())).collect(),
            max_context: folder.max_context,
            turns: Arc::default(),
        };
        let caps = Caps {
            name,
            device: "cpu".into(),
            dtype: "f32".into(),
            parameters: folder.parameters,
            max_context: folder.max_context,
            score: ScoreKind::Exact,
            chat: template.is_some(),
        };
        let engine = Self { caps, core: Arc::new(core) };
        observe(LoadStage::FirstToken);
        engine.score_ids(&[0], &[vec![0]]).map_err(|error| {
            let files: Vec<_> = folder.weights.iter().filter_map(|path| path.file_name()?.to_str()).collect();
            refused(format!("{} gives no usable numbers: {error}", files.join(", ")), "copy or download it again")
        })?;
        Ok(engine)
    }

    /// The token ids of `text`, without any token added: as the model was trained on it.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.core.encode(text)
    }

    /// Natural log of the probability of each label, all as token ids, after the prompt.
    pub fn score_ids(&self, prompt: &[u32], labels: &[Vec<u32>]) -> Result<Vec<f64>, EngineError> {
        Ok(self.answer(prompt.to_vec(), labels.to_vec(), 0, Vec::new()).finish()?.scores)
    }

    fn answer(&self, prompt: Vec<u32>, labels: Vec<Vec<u32>>, max_tokens: usize, stop: Vec<String>) -> Generation {
        let cancel = Cancel::default();
        match Answering::new(&self.core, cancel.clone(), prompt, labels, max_tokens, stop) {
            Ok(answering) => Generation::new(cancel, answering),
            Err(error) => Generation::failed(error),
        }
    }
}

impl Engine for LocalEngine {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let prompt = match req.form {
            Form::Plain => Ok(self.encode(&req.prompt)),
            Form::Chat if self.caps.chat => self.core.encode_said(&req.prompt),
            Form::Chat => Err(EngineError::Unsupported { engine: self.caps.name.clone(), what: "be told what to do" }),
        };
        match prompt.and_then(|prompt| Ok((prompt, self.core.encode_labels(&req.labels)?))) {
            Ok((prompt, labels)) => self.answer(prompt, labels, req.max_tokens, req.stop),
            Err(error) => Generation::failed(error),
        }
    }

    fn embed(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::Unsupported { engine: self.caps.name.clone(), what: "embed text" })
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.encode(text).len()
    }
}

/// Runs `job` on a thread of its own, because the library panics where it should fail, and because it keeps settings
/// of a load in the thread that made it.
fn on_fresh_thread<T: Send + 'static>(job: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let thread = thread::Builder::new().name(format!("{ENGINE_THREAD_PREFIX}build")).spawn(job);
    match thread.map(thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(payload)) => Err(format!("the model library gave up: {}", panic_text(&*payload))),
        Err(error) => Err(format!("the system refused a thread: {error}")),
    }
}

fn build(dir: PathBuf, weights: Vec<PathBuf>, template: Option<PathBuf>) -> Result<Model, String> {
    let paths: Box<dyn ModelPaths> = Box::new(LocalModelPaths {
        tokenizer_filename: dir.join("tokenizer.json"),
        config_filename: dir.join("config.json"),
        filenames: weights,
        adapter_paths: AdapterPaths::None,
        // Ends are found here and what is continued is sent as it is, so what could only make the library stumble stays out.
        template_filename: template,
        gen_conf: None,
        preprocessor_config: None,
        processor_config: None,
        chat_template_json_filename: None,
    });
    let name = dir.to_string_lossy().into_owned();
    let refuses = |error: String| format!("the model library refuses it: {}", first_line(&error));
    let loader = NormalLoaderBuilder::new(NormalSpecificConfig::default(), None, None, Some(name), false, None)
        .build(None)
        .map_err(|error| refuses(format!("{error:#}")))?;
    let pipeline = loader
        .load_model_from_path(
            &paths,
            // The library's own choice on a processor is 16-bit: slow there, and coarse.
            &ModelDType::F32,
            &Device::Cpu,
            true,
            DeviceMapSetting::dummy(),
            None,
            None,
        )
        .map_err(|error| refuses(format!("{error:#}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let scheduler = SchedulerConfig::DefaultScheduler { method: DefaultSchedulerMethod::Fixed(REQUESTS_AT_ONCE) };
    let config = AddModelConfig::new(EngineConfig {
        // On the processor the prefix cache is never emptied.
        no_prefix_cache: true,
        throughput_logging_enabled: false,
        ..EngineConfig::default()
    });
    Ok(runtime.block_on(build_model_from_pipeline(pipeline, scheduler, config)))
}

impl Core {
    fn encode(&self, text: &str) -> Vec<u32> {
        // A tokenizer fails only where it meets an unknown token without a name for it; byte-level ones know all.
        self.tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).unwrap_or_default()
    }

    fn encode_labels(&self, labels: &[String]) -> Result<Vec<Vec<u32>>, EngineError> {
        let encode = |label: &String| match self.encode(label) {
            tokens if tokens.is_empty() => {
                Err(EngineError::Label { label: label.clone(), reason: "it has no tokens".into() })
            }
            tokens => Ok(tokens),
        };
        labels.iter().map(encode).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_library_becomes_a_reason() {
        quiet_engine_panics();
        let failed = on_fresh_thread::<()>(|| panic!("no tensor\nwith a second line"));
        assert_eq!(failed.unwrap_err(), "the model library gave up: no tensor");
        assert_eq!(on_fresh_thread(|| Ok(1)), Ok(1));
    }
}
