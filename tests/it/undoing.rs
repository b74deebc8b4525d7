//! Whatever is turned: taken back step by step it is as it was, and done again it is as it became.

use logoscope::app::state::State;
use logoscope::mediator::Resolution;
use proptest::prelude::*;

use crate::screens::{answered, press};

/// Keys that change the setting, or which weight they change.
const KEYS: [&str; 8] = ["l", "h", "L", "H", "m", "0", "j", "ctrl-x"];

fn resolution(state: &State) -> Resolution {
    state.reading.as_ref().unwrap().resolution.clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn undone_is_as_it_was_and_redone_as_it_became(keys in proptest::collection::vec(0..KEYS.len(), 1..30)) {
        let mut state = answered();
        let (before, decided) = (state.setting, resolution(&state));
        let mut settings = vec![before];
        for key in keys {
            press(&mut state, &[KEYS[key]]);
            if settings.last() != Some(&state.setting) {
                settings.push(state.setting);
            }
        }
        let (after, became) = (state.setting, resolution(&state));
        let mut steps = 0;
        while state.undo.can_undo() {
            press(&mut state, &["u"]);
            prop_assert!(settings.contains(&state.setting), "a step back goes where it has been");
            steps += 1;
        }
        prop_assert!(steps < settings.len() || settings.len() == 1, "no more steps than changes");
        prop_assert_eq!(state.setting, before);
        prop_assert_eq!(resolution(&state), decided);
        while state.undo.can_redo() {
            press(&mut state, &["ctrl-r"]);
            steps -= 1;
        }
        prop_assert_eq!(steps, 0, "as many forward as back");
        prop_assert_eq!(state.setting, after);
        prop_assert_eq!(resolution(&state), became);
    }
}
