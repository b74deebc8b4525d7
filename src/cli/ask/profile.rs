//! The prose profile of who asks: none, the one that is kept or that the model writes now, or one given with the question.

use std::path::Path;

use crate::cli::CliError;
use crate::engine::engine::Engine;
use crate::engine::profile::kept::{self, Change};
use crate::engine::profile::{History, Profile, best, check, identity, write};
use crate::engine::prompt::Question;
use crate::memory::Memory;

/// Which profile stands in prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// None.
    Off,
    /// The kept one that knows all that the question may know; else the model writes it, and it is kept.
    On,
    /// This one.
    Given(String),
}

impl std::str::FromStr for Wanted {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "off" => Self::Off,
            "on" => Self::On,
            text => Self::Given(text.to_owned()),
        })
    }
}

/// A profile that stands in prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub profile: Profile,
    /// Interactions there are.
    pub of: usize,
    /// Whether it was kept from before.
    pub cached: bool,
}

impl Standing {
    /// How it came about, in words.
    pub fn told(&self) -> String {
        let told = self.profile.told(self.of);
        if self.cached { format!("{told}, kept from before") } else { told }
    }
}

impl Wanted {
    /// The profile for `question`; `None` where none is wanted, and of a person of whom nothing is remembered. Kept ones
    /// are in `folder`.
    pub fn standing(
        &self,
        memory: &Memory,
        engine: Option<&dyn Engine>,
        question: &Question,
        folder: &Path,
    ) -> Result<Option<Standing>, CliError> {
        if *self == Self::Off {
            return Ok(None);
        }
        let history = History::of_memory(memory, &question.user, question.at);
        let of = history.len();
        if of == 0 {
            return Ok(None);
        }
        if let Self::Given(text) = self {
            return Ok(Profile::typed(&history, text).map(|profile| Standing { profile, of, cached: false }));
        }
        let (dataset, caps) = (&memory.manifest.name, engine.map(Engine::caps));
        let known = kept::read(folder, dataset, &question.user)?;
        let found = best(&known, &history, &caps.map_or(String::new(), identity)).cloned();
        let cached = |profile| Standing { profile, of, cached: true };
        match (found, engine.filter(|engine| engine.caps().writes())) {
            (Some(profile), _) if profile.from == of => Ok(Some(cached(profile))),
            (_, Some(engine)) => {
                let profile = write(engine, &history)?;
                kept::change(folder, dataset, &question.user, &Change::Keep(profile.clone()))?;
                Ok(Some(Standing { profile, of, cached: false }))
            }
            // Older than it could be, and it says so.
            (Some(profile), None) => Ok(Some(cached(profile))),
            (None, None) => check(caps).map(|()| None).map_err(CliError::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::data::interaction::{Timestamp, UserId};
    use crate::data::sample;
    use crate::engine::engine::{Cancel, Caps, GenEvent, GenRequest, GenStats, Generation, ScoreKind};
    use crate::engine::error::EngineError;

    /// A model that counts how often it was told to write.
    struct Counting(Caps, AtomicUsize);

    impl Counting {
        fn new(chat: bool) -> Self {
            let (name, device, dtype) = ("m".to_owned(), "cpu".to_owned(), "f32".to_owned());
            let caps = Caps { name, device, dtype, parameters: 1, max_context: 4096, score: ScoreKind::None, chat };
            Self(caps, AtomicUsize::new(0))
        }
    }

    impl Engine for Counting {
        fn caps(&self) -> &Caps {
            &self.0
        }

        fn generate(&self, _: GenRequest) -> Generation {
            let time = self.1.fetch_add(1, Ordering::Relaxed) + 1;
            let said = [GenEvent::Token(format!("profile {time}")), GenEvent::Done(GenStats::default())];
            Generation::new(Cancel::default(), said.into_iter())
        }

        fn embed(&self, _: &[String]) -> Result<Vec<Vec<f32>>, EngineError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn it_is_written_once_for_a_history_and_again_when_that_has_grown() {
        let home = tempfile::tempdir().unwrap();
        let dataset = sample::dataset().unwrap();
        let memory = Memory::build(&dataset);
        let own: Vec<Timestamp> = {
            let user = &dataset.interactions[0].user;
            dataset.interactions.iter().filter(|i| i.user == *user).map(|i| i.at).collect()
        };
        let question = |known: usize| Question {
            user: dataset.interactions[0].user.clone(),
            query: "x".to_owned(),
            at: Timestamp(own[known - 1].0 + 1),
        };
        let (model, mute) = (Counting::new(true), Counting::new(false));
        let standing = |wanted: &str, engine: Option<&dyn Engine>, known: usize| {
            let wanted: Wanted = wanted.parse().unwrap();
            wanted.standing(&memory, engine, &question(known), home.path())
        };
        let told = |engine: Option<&dyn Engine>, known| {
            let standing = standing("on", engine, known).unwrap().unwrap();
            (standing.profile.text().to_owned(), standing.told())
        };
        assert_eq!(standing("off", Some(&model), 2).unwrap(), None);
        for (engine, part) in [(None, "there is none"), (Some(&mute as &dyn Engine), "m has no chat template")] {
            assert!(standing("on", engine, 2).unwrap_err().to_string().contains(part));
        }
        assert_eq!(told(Some(&model), 2), ("profile 1".into(), "written from all 2 interactions".into()));
        let kept = "written from all 2 interactions, kept from before";
        assert_eq!(told(Some(&model), 2), ("profile 1".into(), kept.into()));
        // Where none can be written, an older one serves and says so.
        assert_eq!(
            told(Some(&mute), 3),
            ("profile 1".into(), "written from 2 of 3 interactions, kept from before".into())
        );
        assert_eq!(told(Some(&model), 3).0, "profile 2");
        assert_eq!(told(Some(&model), 2).0, "profile 1", "the earlier question knows the earlier one");
        assert_eq!(model.1.load(Ordering::Relaxed), 2);
        let given = standing("Likes the sea.", None, 3).unwrap().unwrap();
        assert_eq!((given.profile.text(), given.told()), ("Likes the sea.", "typed, beside all 3 interactions".into()));
        let stranger = Question { user: UserId::new("nobody"), ..question(3) };
        assert_eq!(Wanted::On.standing(&memory, None, &stranger, home.path()).unwrap(), None);
    }
}
