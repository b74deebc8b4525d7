//! The words of the sample population: tags, themes and the phrases that films are described with.
//!
//! A theme fits several tags; which of them a person picks is habit, so a description alone never settles the tag.
//! Frozen together with the generator's parameters: changing a phrase changes every shipped figure.

/// The 15 movie tags of LaMP-2.
pub const TAGS: [&str; 15] = [
    "sci-fi",
    "based on a book",
    "comedy",
    "action",
    "twist ending",
    "dystopia",
    "dark comedy",
    "classic",
    "psychology",
    "fantasy",
    "romance",
    "thought-provoking",
    "social commentary",
    "violence",
    "true story",
];

/// What a film can be about.
pub struct Theme {
    /// One word, for the truth file.
    pub name: &'static str,
    /// A word that names what kind of story it is.
    pub motif: [&'static str; 2],
    /// Tags that fit, as indexes into [`TAGS`].
    pub tags: &'static [usize],
    /// Who the film follows.
    pub who: [&'static str; 5],
    /// What they do, third person.
    pub act: [&'static str; 5],
    /// Where.
    pub place: [&'static str; 5],
    /// What else happens: a clause.
    pub detail: [&'static str; 5],
}

/// Sentence frames over `{who}`, `{act}`, `{place}`, `{detail}`, `{motif}`.
pub const FRAMES: [&str; 8] = [
    "{who} {act} in {place} while {detail}, a {motif} story",
    "{who} {act} as {detail}: a story of {motif}",
    "In {place}, {who} {act}, a {motif} story",
    "When {detail}, {who} {act}, a story of {motif}",
    "{detail} and {who} {act} in this {motif} story",
    "The {motif} story of {who} who {act} in {place}",
    "A {motif} story from {place}: {who} {act} until {detail}",
    "After {detail}, {who} {act} near {place}, a {motif} story",
];

/// All themes.
pub const THEMES: [Theme; 20] = [
    Theme {
        name: "flood",
        motif: ["flood", "tide"],
        tags: &[0, 5, 11, 12],
        who: ["a retired diver", "a harbour pilot", "a ferry girl", "a pump engineer", "the last lighthouse crew"],
        act: ["maps the drowned streets", "smuggles fresh water", "defies the curfew", "rebuilds a sea wall", "rows past checkpoints"],
        place: ["a flooded city", "the tide barracks", "a sunken district", "the levee camps", "a rationed harbour"],
        detail: ["the tide keeps rising", "the dams are sold", "the curfew sirens wail", "salt ruins the wells", "barges evacuate the rich"],
    },
    Theme {
        name: "robots",
        motif: ["robot", "machine"],
        tags: &[0, 8, 11, 4],
        who: ["a lonely android", "a robot repairer", "an empathy tester", "a factory machine", "a cloned brain"],
        act: ["questions its memories", "passes as human", "hides a stolen circuit", "learns to dream", "reprograms its maker"],
        place: ["a silicon laboratory", "an orbital workshop", "the server vaults", "a chrome arcade", "the assembly towers"],
        detail: ["a software update spreads", "the owners switch it off", "its circuits begin to doubt", "the machines vote", "a backup wakes first"],
    },
    Theme {
        name: "heist",
        motif: ["heist", "robbery"],
        tags: &[3, 4, 2, 13],
        who: ["a safe cracker", "a crew of thieves", "a bank clerk", "a getaway driver", "an art forger"],
        act: ["plans one last robbery", "tunnels into the vault", "double crosses the gang", "swaps the diamonds", "outruns the detectives"],
        place: ["a casino basement", "the gold depository", "a museum at night", "the armoured train", "an auction house"],
        detail: ["the alarm fails twice", "the loot goes missing", "an insider talks", "the getaway van stalls", "the forged papers fade"],
    },
    Theme {
        name: "war",
        motif: ["war", "soldier"],
        tags: &[14, 13, 7, 12],
        who: ["a young medic", "a tank platoon", "a captured sergeant", "a deserter", "a field chaplain"],
        act: ["holds the trench", "carries the wounded", "refuses the order", "crosses the minefield", "writes home by candle"],
        place: ["the winter front", "a besieged village", "the prisoner camp", "a bombed monastery", "the river bridgehead"],
        detail: ["the shelling does not stop", "the general looks away", "the ceasefire breaks", "snow buries the convoy", "the regiment is surrounded"],
    },
    Theme {
        name: "bakery",
        motif: ["kitchen", "bakery"],
        tags: &[2, 10, 6],
        who: ["a rival baker", "a pastry apprentice", "a clumsy waiter", "a widowed cook", "a food critic"],
        act: ["swaps the wedding cakes", "burns every loaf", "falls for a customer", "opens a tiny cafe", "fakes a secret recipe"],
        place: ["a seaside bakery", "the corner bistro", "a crowded kitchen", "the market square", "a sugar festival"],
        detail: ["the oven explodes", "the dough will not rise", "the guests are early", "a mouse steals the show", "the critic loves the mistake"],
    },
    Theme {
        name: "courtroom",
        motif: ["courtroom", "justice"],
        tags: &[12, 14, 11, 1],
        who: ["a stubborn juror", "a public defender", "a disgraced judge", "a whistleblower", "a court reporter"],
        act: ["reopens the verdict", "sues the company", "exposes the bribes", "cross-examines a mayor", "defends the accused maid"],
        place: ["a small town court", "the appeals chamber", "a law library", "the union hall", "the district archive"],
        detail: ["the evidence disappears", "the jury is split", "the witness recants", "the newspapers convict early", "the statute is older than the town"],
    },
    Theme {
        name: "dragon",
        motif: ["dragon", "magic"],
        tags: &[9, 1, 3, 7],
        who: ["a dragon keeper", "an exiled princess", "a blacksmith's boy", "a hedge wizard", "an elven scout"],
        act: ["reforges the broken sword", "rides the last dragon", "breaks an ancient spell", "guards the rune gate", "steals a goblin crown"],
        place: ["the misty kingdom", "a dwarven mine", "the enchanted forest", "a ruined castle", "the wizard's tower"],
        detail: ["the prophecy stirs", "the dragon eggs hatch", "a curse takes the king", "goblins cross the border", "magic drains from the land"],
    },
    Theme {
        name: "asylum",
        motif: ["asylum", "madness"],
        tags: &[8, 4, 13, 1],
        who: ["a sleepless psychiatrist", "a patient without a name", "a night nurse", "a hypnotist", "an inmate twin"],
        act: ["doubts the diagnosis", "hears the same voice", "records forbidden therapy", "loses track of days", "wakes in another ward"],
        place: ["a remote asylum", "the mirror ward", "a locked clinic", "the therapy room", "an island sanatorium"],
        detail: ["the pills change colour", "the files contradict each other", "the patients go quiet", "a memory returns wrongly", "the doctor is a visitor"],
    },
    Theme {
        name: "summer love",
        motif: ["love", "wedding"],
        tags: &[10, 2, 1, 7],
        who: ["a shy violinist", "a pen friend", "a runaway bride", "a summer lifeguard", "a bookshop owner"],
        act: ["misses the last train", "writes anonymous letters", "dances until morning", "confesses too late", "returns a lost ring"],
        place: ["a lakeside hotel", "the spring carnival", "an autumn vineyard", "the old bookshop", "a rooftop in Paris"],
        detail: ["the letters cross", "the wedding nears", "an old flame arrives", "the summer ends", "the rain traps them"],
    },
    Theme {
        name: "office",
        motif: ["office", "workplace"],
        tags: &[6, 2, 12],
        who: ["a junior accountant", "a middle manager", "an unpaid intern", "a fired consultant", "the photocopier man"],
        act: ["shreds the wrong report", "fakes a promotion", "unionises the cubicles", "attends his own farewell", "blackmails the printer"],
        place: ["an open plan office", "the quarterly meeting", "the break room", "a team retreat", "the human resources floor"],
        detail: ["the coffee machine dies", "the merger is announced", "the boss goes missing", "the spreadsheet gains power", "the layoffs begin"],
    },
    Theme {
        name: "boxing",
        motif: ["boxing", "prizefight"],
        tags: &[14, 3, 13, 7],
        who: ["a washed-up boxer", "a teenage wrestler", "a corner trainer", "a bare-knuckle champion", "a gym owner's daughter"],
        act: ["trains for the title", "throws the final round", "fights with one eye", "returns to the ring", "pays an old debt"],
        place: ["a sweaty gym", "the title arena", "a fairground ring", "the docks boxing club", "a training camp"],
        detail: ["the bell rings late", "the promoter cheats", "the knockout goes viral", "a rib breaks", "the crowd turns"],
    },
    Theme {
        name: "detective",
        motif: ["murder", "detective"],
        tags: &[4, 7, 1, 13],
        who: ["a tired inspector", "a private eye", "a village constable", "a blind pathologist", "a crime novelist"],
        act: ["follows a false alibi", "finds a second body", "questions the heirs", "decodes the murder note", "reopens a cold case"],
        place: ["a country manor", "a foggy pier", "the night express", "a jazz cellar", "the morgue"],
        detail: ["the butler vanishes", "the fingerprints match nobody", "the will is changed", "the killer writes again", "every suspect lies"],
    },
    Theme {
        name: "space",
        motif: ["space", "astronaut"],
        tags: &[0, 3, 11, 7],
        who: ["a stranded astronaut", "a freighter captain", "a Mars botanist", "a signal officer", "a cryogenic crew"],
        act: ["repairs the hull", "answers an alien signal", "burns the last fuel", "lands on a dark moon", "steers through the asteroids"],
        place: ["a drifting station", "the red planet", "deep orbit", "a lunar crater", "the colony ship"],
        detail: ["the oxygen runs low", "the star begins to fade", "mission control falls silent", "gravity fails", "a probe returns changed"],
    },
    Theme {
        name: "school",
        motif: ["school", "classroom"],
        tags: &[12, 14, 2, 11],
        who: ["a substitute teacher", "a spelling champion", "a class of dropouts", "a strict headmistress", "a school janitor"],
        act: ["teaches poetry anyway", "saves the school library", "leads a pupil strike", "grades with kindness", "rewrites the exam"],
        place: ["an inner city school", "a prairie classroom", "the detention room", "a boarding college", "the debate club"],
        detail: ["the budget is cut", "the parents protest", "the exam leaks", "the roof collapses", "a scholarship is at stake"],
    },
    Theme {
        name: "vampire",
        motif: ["vampire", "ghost"],
        tags: &[9, 10, 13, 6],
        who: ["an old vampire", "a werewolf nanny", "a ghost hunter", "a midnight gravedigger", "a coven of witches"],
        act: ["drinks by moonlight", "haunts a flat share", "buries the wrong coffin", "breaks the blood pact", "courts a mortal"],
        place: ["a gothic mansion", "the village crypt", "a haunted flat", "the moonlit cemetery", "a bat cave"],
        detail: ["the full moon rises", "garlic is in fashion", "the coffin stays empty", "the exorcist is late", "the undead hold elections"],
    },
    Theme {
        name: "surveillance",
        motif: ["surveillance", "regime"],
        tags: &[5, 12, 8, 0],
        who: ["a censor", "a data clerk", "a banned poet", "a neighbourhood informer", "a faceless minister"],
        act: ["edits yesterday's news", "falls off the register", "hides a forbidden diary", "scores his neighbours", "teaches children to report"],
        place: ["the ministry of order", "a glass tower block", "the ration office", "a walled capital", "the broadcasting house"],
        detail: ["cameras count every step", "names are erased", "the loudspeakers never rest", "obedience earns credit", "the anthem changes again"],
    },
    Theme {
        name: "family farm",
        motif: ["farm", "harvest"],
        tags: &[11, 1, 10, 14],
        who: ["an ageing farmer", "an estranged brother", "a beekeeper", "a returning daughter", "a shepherd boy"],
        act: ["sells the orchard", "forgives his father", "sows a barren field", "nurses a lame horse", "digs up a family secret"],
        place: ["a drought valley", "the family farm", "a mountain pasture", "the orchard house", "a harvest fair"],
        detail: ["the harvest fails", "the bank forecloses", "grandmother stops talking", "the river changes course", "the bees come back"],
    },
    Theme {
        name: "mob",
        motif: ["mob", "gangster"],
        tags: &[13, 6, 7, 14],
        who: ["a mob accountant", "a clumsy hitman", "a crime matriarch", "a cousin in debt", "an undercover cop"],
        act: ["launders the money", "kills the wrong man", "inherits the territory", "wears a wire to dinner", "settles a family feud"],
        place: ["a back room restaurant", "the waterfront docks", "a funeral parlour", "a suburban villa", "the racetrack"],
        detail: ["a body will not sink", "the godfather sneezes", "the truce is poisoned", "bullets interrupt the opera", "the informant marries in"],
    },
    Theme {
        name: "time loop",
        motif: ["time", "clock"],
        tags: &[0, 4, 2, 9],
        who: ["a weather presenter", "a clockmaker", "a time courier", "a physics student", "the same stranger"],
        act: ["relives one Tuesday", "warns his younger self", "steals an hour", "meets her own grandchild", "repairs the calendar"],
        place: ["a frozen railway station", "the clock museum", "a looping town", "the year before", "a paradox hotel"],
        detail: ["yesterday repeats", "the clocks disagree", "a photograph changes", "the future sends a bill", "midnight never comes"],
    },
    Theme {
        name: "artist",
        motif: ["artist", "stage"],
        tags: &[8, 14, 1, 6],
        who: ["a forgotten painter", "a jealous pianist", "a ballet prodigy", "a mute sculptor", "a fading actress"],
        act: ["paints with ashes", "destroys the masterpiece", "rehearses to exhaustion", "steals a melody", "poses for her rival"],
        place: ["a cold atelier", "the opera backstage", "a rehearsal studio", "the portrait gallery", "a gilded theatre"],
        detail: ["applause turns to silence", "the patron demands more", "the colours go wrong", "the understudy watches", "the critics sharpen pens"],
    },
];
