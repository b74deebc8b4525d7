//! A model on an OpenAI-compatible server: for models that outgrow the machine.
//!
//! Invariants:
//! * Everything that waits for the server can be cancelled within [`Patience`]'s tick, waits between attempts included.
//! * What is tried again is told ([`GenEvent::Again`](super::engine::GenEvent::Again)); after it an answer begins with
//!   nothing, never with what came before.
//! * Refusals and answers that cannot be understood are not tried again.
//! * Scores are estimates from the few most probable tokens that a server reports, by the rule of [`labels`], and say so.
//! * The key is read from the environment, sent to the server that was named, and shown, logged and recorded nowhere.

mod answer;
mod labels;
mod patience;
mod reply;
mod secret;
mod wire;

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use patience::{Clock, Patience};

use self::answer::Answering;
use self::reply::{Base, Model};
use self::wire::{Endpoint, Fault, Question, Wire};
use super::address::{Address, KEY_VARIABLE};
use super::engine::{Cancel, Caps, Engine, Form, GenRequest, Generation, LoadStage, ScoreKind};
use super::error::EngineError;
use super::fit::Training;
use super::model::{CONTEXT, DeviceChoice, LoadOptions, Located, Origin};
use super::room::Need;
use crate::data::sanitize::visible;

/// Tokens with their probabilities that a server is asked for: as many as it takes of these.
const TOPS: [usize; 2] = [20, 5];
/// What a server is asked to continue, to see how it answers.
const PROBE: &str = "Once";
/// Between two words about a load.
const PAUSE: Duration = Duration::from_millis(250);
/// Models of a server that a message names.
const NAMED: usize = 8;
/// What some servers call the model that they were started with, beside its name.
const ANY: &str = "default";

/// Hears how far a load is, and ends it with an error.
pub type Observer<'a> = &'a dyn Fn(LoadStage) -> Result<(), EngineError>;

/// A server that has been named, and not asked yet.
pub struct Server {
    address: Address,
    wire: Wire,
    keyed: bool,
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    /// The most probable tokens that it reports; 0 for none.
    tops: usize,
    /// To which base their logarithms are.
    base: Base,
    /// Whether what it reports beside a greedy answer are no probabilities, so that labels need a request of their own.
    apart: bool,
    /// Whether it counts tokens when asked to.
    usage: bool,
}

/// A model that runs on a server.
pub struct RemoteEngine {
    caps: Caps,
    origin: Origin,
    core: Arc<Core>,
}

/// Which statuses of a server in trouble are its last word.
type Final = fn(u16) -> bool;

/// What a running answer needs of the engine.
struct Core {
    server: Server,
    model: String,
    completions: Option<Manner>,
    chat: Option<Manner>,
}

impl Server {
    /// The server at `address`, with the key that the environment holds.
    pub fn of(address: &Address, options: &LoadOptions) -> Result<Self, EngineError> {
        let refused = |reason: &str, remedy: &str| EngineError::Server {
            server: address.host().to_owned(),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        };
        if options.hub.offline && !address.is_here() {
            return Err(refused(
                "it is on another machine, and --offline asks nothing of a network",
                "leave --offline out",
            ));
        }
        if options.quantize.is_some() || options.device != DeviceChoice::Auto {
            return Err(refused("it runs its models as it was told to", "leave --device and --quantize out"));
        }
        let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty());
        Self::with(address, key.as_deref(), Patience::default())
    }

    /// The server at `address`, proven with `key` and waited for with `patience`.
    pub fn with(address: &Address, key: Option<&str>, patience: Patience) -> Result<Self, EngineError> {
        let wire = Wire::new(address, key, patience).map_err(|(reason, remedy)| EngineError::Server {
            server: address.host().to_owned(),
            reason,
            remedy,
        })?;
        Ok(Self { address: address.clone(), wire, keyed: key.is_some() })
    }

    /// The address with the name of the model that it stands for.
    pub fn named(&self, observe: Observer) -> Result<Address, EngineError> {
        let listed = self.listed(observe)?;
        Ok(self.address.with_model(&self.choice(listed.as_deref())?))
    }

    /// The models that the server has; `None` where it does not say.
    fn listed(&self, observe: Observer) -> Result<Option<Vec<Model>>, EngineError> {
        match self.patiently(observe, |wanted| self.wire.models(wanted)) {
            Ok(models) => Ok(Some(models.0)),
            Err((Fault::Refused { status: 404 | 405 | 501, .. }, _)) => Ok(None),
            // Nor is it needed: whether the model that was named is there shows when it is asked.
            Err((fault @ (Fault::Refused { .. } | Fault::Garbled(_)), _)) if self.address.model.is_some() => {
                let host = self.address.host();
                tracing::info!(target: "logoscope::engine", "{host} does not list its models: {}", fault.reason());
                Ok(None)
            }
            Err((fault, attempts)) => Err(self.error(fault, attempts)),
        }
    }

    /// The model that is asked for among those that there are.
    fn choice(&self, listed: Option<&[Model]>) -> Result<String, EngineError> {
        let names: Option<Vec<&str>> = listed.map(|models| models.iter().map(|model| model.id.as_str()).collect());
        let refused = |reason: String, remedy: String| EngineError::Server {
            server: self.address.host().to_owned(),
            reason,
            remedy,
        };
        let one_of = |names: &[&str]| format!("name one of its models after '#': {}", told_names(names));
        match (&self.address.model, names) {
            (Some(model), Some(names)) if !names.contains(&model.as_str()) => {
                Err(refused(format!("it has no model '{}'", visible(model)), one_of(&names)))
            }
            (Some(model), _) => Ok(model.clone()),
            (None, None) => {
                Err(refused("it does not say which models it has".into(), format!("name one: {}#model", self.address)))
            }
            (None, Some(mut names)) => {
                if names.len() > 1 {
                    names.retain(|name| *name != ANY);
                }
                match names[..] {
                    [name] => Ok(name.to_owned()),
                    [] => Err(refused("it has no model".into(), "load one there first".into())),
                    _ => Err(refused(format!("it has {} models", names.len()), one_of(&names))),
                }
            }
        }
    }

    /// Asks again where that may help, and tells `observe` how often. A fault comes with the number of attempts.
    fn patiently<T>(
        &self,
        observe: Observer,
        mut ask: impl FnMut(&dyn Fn() -> bool) -> Result<T, Fault>,
    ) -> Result<T, (Fault, u32)> {
        let patience = &self.wire.patience;
        let mut attempt = 1;
        loop {
            let stage = LoadStage::Asking { attempt, of: patience.attempts };
            let (wanted, told) = (Cell::new(observe(stage).is_ok()), Cell::new(Instant::now()));
            let still = || {
                if told.get().elapsed() >= PAUSE {
                    told.set(Instant::now());
                    wanted.set(wanted.get() && observe(stage).is_ok());
                }
                wanted.get()
            };
            let fault = match ask(&still) {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let Some(wait) = fault.again(attempt, patience) else { return Err((fault, attempt)) };
            patience.clock.wait(wait, &still);
            if !still() {
                return Err((Fault::Cancelled, attempt));
            }
            attempt += 1;
        }
    }

    /// The end of it, in words for a person.
    fn error(&self, fault: Fault, attempts: u32) -> EngineError {
        let server = self.address.host().to_owned();
        let refused = |reason: String, remedy: String| EngineError::Server { server: server.clone(), reason, remedy };
        let longest = self.wire.patience.longest;
        match fault {
            Fault::Cancelled => EngineError::Cancelled,
            Fault::Busy { reason, after: Some(after), .. } if after > longest => {
                refused(format!("{reason}; it asks to wait {} s", after.as_secs()), "ask again then".into())
            }
            Fault::Lost(reason) | Fault::Busy { reason, .. } => EngineError::Unreachable { server, reason, attempts },
            Fault::Refused { status: 401 | 403, reason } => {
                let what = if self.keyed { "it does not take the key" } else { "it wants a key" };
                refused(format!("{what} ({reason})"), format!("set {KEY_VARIABLE} to one that it takes"))
            }
            Fault::Refused { reason, .. } => refused(reason, "see the server's own log".into()),
            Fault::Garbled(reason) => {
                let remedy = format!("see that {} is that of an OpenAI-compatible server", self.address.base);
                refused(reason, remedy)
            }
        }
    }
}

fn told_names(names: &[&str]) -> String {
    let told = names.iter().take(NAMED).map(|name| visible(name).into_owned()).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{told} and {} more", names.len() - NAMED) } else { told }
}

impl Fault {
    /// How long to wait before the attempt after number `attempt`; `None` where that is of no use.
    fn again(&self, attempt: u32, patience: &Patience) -> Option<Duration> {
        let asked = match self {
            Self::Lost(_) => None,
            Self::Busy { after, .. } => *after,
            Self::Cancelled | Self::Refused { .. } | Self::Garbled(_) => return None,
        };
        let heeded = asked.is_none_or(|asked| asked <= patience.longest);
        (attempt < patience.attempts && heeded).then(|| patience.before(attempt + 1, asked))
    }

    /// Whether the server's other endpoint may have no such trouble.
    fn may_be_of_one_endpoint(&self) -> bool {
        match self {
            Self::Cancelled | Self::Lost(_) => false,
            Self::Garbled(_) => true,
            Self::Busy { status, .. } => *status >= 500,
            // A key is taken for all of a server, and so is what is wrong with its certificate.
            Self::Refused { status, .. } => !matches!(status, 0 | 401),
        }
    }

    /// What happened, in words.
    fn reason(&self) -> &str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Lost(reason) | Self::Garbled(reason) | Self::Busy { reason, .. } | Self::Refused { reason, .. } => {
                reason
            }
        }
    }
}

impl RemoteEngine {
    /// Asks the server what it has and how it answers: one token of each endpoint.
    pub fn connect(server: Server, options: &LoadOptions, observe: Observer) -> Result<Self, EngineError> {
        let listed = server.listed(observe)?;
        let model = server.choice(listed.as_deref())?;
        let known = listed.iter().flatten().find(|listed| listed.id == model).and_then(|model| model.max_model_len);
        let max_context = [known, options.context].into_iter().flatten().min().unwrap_or(CONTEXT);
        let mut core = Core { server, model, completions: None, chat: None };
        core.look(observe)?;
        let Some((endpoint, manner)) = core.continues() else {
            return Err(EngineError::Server {
                server: core.host(),
                reason: "it answers neither at /completions nor at /chat/completions".into(),
                remedy: format!("see that {} is that of an OpenAI-compatible server", core.server.address.base),
            });
        };
        let score = if manner.tops > 0 { ScoreKind::Approximate } else { ScoreKind::None };
        let caps = Caps {
            // Some servers name a model by where it lies on their machine.
            name: core
                .model
                .strip_prefix('/')
                .map_or(core.model.as_str(), |path| path.rsplit('/').next().unwrap_or(path))
                .to_owned(),
            device: core.host(),
            dtype: endpoint.name().to_owned(),
            parameters: 0,
            max_context,
            score,
            chat: core.chat.is_some(),
        };
        // What a server's model takes, and what it was made for, is the server's to know.
        let place = Located::Server(core.server.address.with_model(&core.model));
        let origin = Origin { place, training: Training::default(), need: Need::default() };
        Ok(Self { caps, origin, core: Arc::new(core) })
    }
}

impl Core {
    fn host(&self) -> String {
        self.server.address.host().to_owned()
    }

    /// What continues a prompt: the endpoint made for it, else the one for chat.
    fn continues(&self) -> Option<(Endpoint, Manner)> {
        let completions = self.completions.map(|manner| (Endpoint::Completions, manner));
        completions.or(self.chat.map(|manner| (Endpoint::Chat, manner)))
    }

    /// Looks how both endpoints answer. Servers that only chat refuse completions in more ways than by saying that there are
    /// none; so what goes wrong with these is the end of it only where the server does not chat either.
    fn look(&mut self, observe: Observer) -> Result<(), EngineError> {
        let broken: Final = |status| status == 500;
        let mut completions = self.manner(Endpoint::Completions, broken, observe);
        if let Err((fault, _)) = &completions
            && fault.may_be_of_one_endpoint()
        {
            // What has been waited for once is not waited for again.
            let ends: Final = if matches!(fault, Fault::Busy { .. }) { |_| true } else { broken };
            match self.manner(Endpoint::Chat, ends, observe) {
                Ok(Some(chat)) => {
                    let (host, reason) = (self.host(), fault.reason());
                    tracing::info!(target: "logoscope::engine", "{host} only chats: {reason}");
                    self.chat = Some(chat);
                    return Ok(());
                }
                Err((Fault::Cancelled, _)) => return Err(EngineError::Cancelled),
                Ok(None) | Err(_) => {}
            }
            // Nothing works: that may pass.
            if matches!(fault, Fault::Refused { status: 500, .. }) {
                completions = self.manner(Endpoint::Completions, |_| false, observe);
            }
        }
        let error = |(fault, attempts)| self.server.error(fault, attempts);
        let completions = completions.map_err(error)?;
        let also = completions.is_some();
        let chat = match self.manner(Endpoint::Chat, if also { broken } else { |_| false }, observe) {
            // Some servers refuse, some begin an answer and put their words into it, bare.
            Err((fault @ (Fault::Refused { .. } | Fault::Garbled(_)), _)) if also => {
                tracing::info!(target: "logoscope::engine", "{} does not chat: {}", self.host(), fault.reason());
                None
            }
            other => other.map_err(error)?,
        };
        (self.completions, self.chat) = (completions, chat);
        Ok(())
    }

    /// How an endpoint answers; `None` where there is none. A server in trouble whose status `ends` it is not asked again: so
    /// servers say that a model was not made for an endpoint.
    fn manner(&self, endpoint: Endpoint, ends: Final, observe: Observer) -> Result<Option<Manner>, (Fault, u32)> {
        let tries = TOPS.map(|tops| (tops, true)).into_iter().chain([(0, true), (0, false)]);
        let mut refused = None;
        for (tops, usage) in tries {
            let ask = |temperature| {
                let question = self.probe(endpoint, tops, usage, temperature);
                self.server.patiently(observe, |wanted| match self.reported(&question, wanted) {
                    Err(Fault::Busy { status, reason, .. }) if ends(status) => Err(Fault::Refused { status, reason }),
                    other => other,
                })
            };
            let reported = match ask(0.0) {
                Ok(reported) => reported,
                Err((Fault::Refused { status: 404 | 405 | 501, .. }, _)) => return Ok(None),
                Err((fault @ Fault::Refused { status: 400 | 422, .. }, attempts)) => {
                    refused = Some((fault, attempts));
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let silent = Manner { tops: 0, base: Base::Natural, apart: false, usage };
            let Some(reported) = reported else { return Ok(Some(silent)) };
            let greedy = Base::of_greedy(&reported);
            let base = match greedy {
                Some(base) => Some(base),
                None => ask(1.0)?.and_then(|reported| Base::of(&reported)),
            };
            if base == Some(Base::Ten) {
                tracing::info!(target: "logoscope::engine", "{}: its logarithms are to base 10", self.host());
            }
            return Ok(Some(base.map_or(silent, |base| Manner { tops, base, apart: greedy.is_none(), usage })));
        }
        refused.map_or(Ok(None), Err)
    }

    fn probe(&self, endpoint: Endpoint, tops: usize, usage: bool, temperature: f64) -> Question<'_> {
        Question { endpoint, model: &self.model, prompt: PROBE, max_tokens: 1, stop: &[], temperature, tops, usage }
    }

    /// The most probable tokens of an answer's first position, as the server reports them; `None` where it does not.
    fn reported(&self, question: &Question, wanted: &dyn Fn() -> bool) -> Result<Option<Vec<(String, f64)>>, Fault> {
        let wire = &self.server.wire;
        let mut reply = wire.ask(question, wanted)?;
        let (mut tops, mut begun, mut finished, mut limit) = (None, false, false, wire.patience.first);
        // To its end, however short: whoever leaves early costs the server a connection.
        while let Some(chunk) = wire.next(&mut reply, limit, wanted)? {
            limit = wire.patience.between;
            for choice in chunk.choices.iter().flatten() {
                tops = tops.or_else(|| choice.tops());
                finished |= choice.finish_reason.is_some();
                begun = true;
            }
            if finished {
                return Ok(tops);
            }
        }
        if begun && reply.is_whole() { Ok(tops) } else { Err(Fault::Lost(CUT.to_owned())) }
    }
}

/// What an answer without an end is.
const CUT: &str = "connection lost (closed in the middle)";

impl Engine for RemoteEngine {
    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn origin(&self) -> Option<&Origin> {
        Some(&self.origin)
    }

    fn generate(&self, req: GenRequest) -> Generation {
        let chat = self.core.chat.map(|manner| (Endpoint::Chat, manner));
        let asked = match req.form {
            Form::Plain => self.core.continues(),
            Form::Chat => chat,
        };
        let Some((endpoint, manner)) = asked else {
            return Generation::failed(EngineError::Unsupported {
                engine: self.caps.name.clone(),
                what: "be told what to do",
            });
        };
        if req.prompt.is_empty() {
            return Generation::failed(EngineError::EmptyPrompt);
        }
        if req.max_tokens == 0 && manner.tops == 0 {
            return Generation::failed(EngineError::Unsupported {
                engine: self.caps.name.clone(),
                what: "score labels: its server reports no probabilities",
            });
        }
        let cancel = Cancel::default();
        Generation::new(cancel.clone(), Answering::new(Arc::clone(&self.core), cancel, endpoint, manner, req))
    }

    fn embed(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
        Err(EngineError::Unsupported { engine: self.caps.name.clone(), what: "embed text" })
    }
}
