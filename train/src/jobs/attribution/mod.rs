//! `tributary-train attribution`: who is to be credited with conversions, by every model, side by side.

mod bootstrap;
mod input;
mod kept;
mod learned;
mod model;
mod pages;
mod paths;
mod written;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use domain::{
    Clock,
    attribution::{Channels, Credit, Journeys, Statistics},
};
use models::registry::Publication;

use self::{
    bootstrap::Sampled,
    input::{By, Input, JourneyArgs},
    kept::Kept,
    learned::{LearnArgs, Lesson},
    model::{Folded, Model, Players, Way, credited, fold},
};
use super::{publish::RegistryArgs, run::RunArgs};
use crate::{attribution::FitError, watch::Watch};

/// From so many conversions on a model that learns is worth deciding by (10,000 is what platforms ask for).
const ENOUGH: f64 = 10_000.0;
/// The most channels that a Markov chain numbers.
const MOST_CHANNELS: usize = 65_535;

/// What the job is told.
#[derive(Args, Clone, Debug)]
pub struct Attribution {
    #[command(flatten)]
    input: JourneyArgs,
    #[command(flatten)]
    settings: Settings,
    /// What divides credit
    #[arg(long, value_enum, default_value_t = Model::All)]
    model: Model,
    /// Statistics of earlier days, of which these journeys are the next: statistics.json in the folder of another run
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// How models divide.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// How many channels a Markov chain remembers, 1 to 7
    #[arg(long, default_value_t = 1, value_name = "CHANNELS")]
    pub(super) order: u32,
    /// How a Markov chain's removal effects become credit
    #[arg(long, value_enum, default_value_t = Way::Global)]
    pub(super) definition: Way,
    /// Which game Shapley values are of
    #[arg(long, value_enum, default_value_t = Players::Sum)]
    pub(super) shapley: Players,
    /// Pairs of orders to sample where a game has too many channels for an exact solution
    #[arg(long, default_value_t = 1_000, value_name = "PAIRS")]
    pub(super) samples: u64,
    /// After how many days a touch counts half as much, for time-decay
    #[arg(long, default_value_t = 7.0, value_name = "DAYS")]
    pub(super) half_life: f64,
    /// Samples that intervals come from; 0 for none
    #[arg(long, default_value_t = 100, value_name = "SAMPLES", value_parser = clap::value_parser!(u64).range(..=100_000))]
    pub(super) bootstrap: u64,
    #[command(flatten)]
    pub(super) learn: LearnArgs,
}

impl Settings {
    pub(super) fn half_life_seconds(&self) -> u32 {
        (self.half_life * 86_400.0).round() as u32
    }

    pub(super) fn is_usual_half_life(&self) -> bool {
        self.half_life_seconds() == 7 * 86_400
    }

    /// What statistics depend on, as flags.
    fn words(&self) -> String {
        let shapley = model::word(self.shapley);
        format!("--order {} --shapley {shapley} --half-life {}", self.order, self.half_life)
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.half_life.is_finite() && 1 <= self.half_life_seconds(),
            "--half-life is {} days, and must be a second at least",
            self.half_life
        );
        ensure!(2 <= self.samples, "--samples is {}, and must be at least 2", self.samples);
        self.learn.check()
    }
}

/// What a model says.
pub(super) struct Told {
    model: Model,
    /// By the number of the channel.
    credit: Vec<Credit>,
    /// What is nobody's, where the model says that something is.
    organic: Option<Credit>,
    /// Half the width of 95 % intervals, where credit was sampled.
    margin: Option<Vec<Credit>>,
    /// Intervals from samples of the journeys, where there are any.
    sampled: Option<Sampled>,
    /// What would be lost without each channel, for a Markov chain.
    removal: Option<Vec<f64>>,
}

/// All that is said.
pub(super) struct Said {
    input: Input,
    /// The names of channels by their numbers.
    channels: Channels,
    told: Vec<Told>,
    /// Conversions and value of all journeys, also those of earlier days.
    total: Credit,
    nulls: f64,
    /// The model to decide by, and why.
    decide_by: (Model, String),
    /// What was learned, where something was.
    lesson: Option<Lesson>,
}

impl Attribution {
    /// Does the job; says what came of it.
    ///
    /// # Errors
    /// When it cannot be done; nothing is written then.
    pub fn run(&self, clock: &Clock) -> Result<String> {
        self.settings.check()?;
        let (folder, stopped) = self.run.begin()?;
        let mut models = self.models();
        let watch = Watch::new(self.settings.bootstrap + models.len() as u64 + 3, stopped);
        watch.step("reading journeys")?;
        let kept = self.merge.as_deref().map(Kept::read).transpose()?;
        let channels = kept.as_ref().map(|kept| kept.channels.clone()).unwrap_or_default();
        let mut input = self.input.read(channels, models.contains(&Model::Learned))?;
        watch.done();
        let lesson = self.lesson(&mut input, &mut models, &watch)?;
        let (said, now) = self.say(input, kept, (&models, lesson), &watch)?;
        watch.step("writing files")?;
        let report = written::write(&folder, &said, self)?;
        now.write(&folder)?;
        let publication = said.publication((self.input.by, self.run.seed), report, clock)?;
        if let Some(publication) = &publication {
            folder.put("model.onnx", &publication.model)?;
        }
        folder.keep()?;
        let version = publication.map(|it| self.registry.publish(&it, &self.run.out)).transpose()?.flatten();
        watch.done();
        let version = version.map_or_else(String::new, |version| format!("\n{version}"));
        Ok(format!(
            "{}{version}\ncredit and the report are in {}",
            pages::summary(&said),
            self.run.out.display()
        ))
    }

    /// What there is to learn. Where there is nothing, and all models were asked, the one that learns is not among them;
    /// where it was asked for by name, its rule stands in if there is too little.
    fn lesson(&self, input: &mut Input, models: &mut Vec<Model>, watch: &Watch) -> Result<Option<Lesson>> {
        if !models.contains(&Model::Learned) {
            return Ok(None);
        }
        watch.step("learning")?;
        let is_named = self.model == Model::Learned;
        let refusal = match &input.watched {
            None => "journeys that are counted together say too little to learn from: it takes a file of touches, or a lake".to_owned(),
            Some(_) if self.merge.is_some() => "of earlier days only statistics are left, and it learns from journeys".to_owned(),
            Some(watched) => match Lesson::learn(input, watched, &self.settings.learn)? {
                Ok(lesson) => {
                    watch.done();
                    input.notes.extend(lesson.note(&input.journeys));
                    return Ok(Some(lesson));
                }
                Err(refused @ FitError::TooFew { .. }) if is_named => {
                    input.notes.push(format!("the model says nothing: {refused}; that rule divided"));
                    return Ok(None);
                }
                Err(refused) => refused.to_string(),
            },
        };
        ensure!(!is_named, "--model learned cannot be: {refusal}");
        input.notes.push(format!("learned is not among the models: {refusal}"));
        models.retain(|model| *model != Model::Learned);
        watch.done();
        Ok(None)
    }

    /// The models that can be asked, the one that others are compared with first.
    fn models(&self) -> Vec<Model> {
        let mut models = self.model.each();
        models.sort_by_key(|model| *model != Model::Last);
        models
    }

    /// What statistics depend on, in words: those of two days are merged only where it is the same.
    fn made_of(&self) -> String {
        format!("{} {}", self.settings.words(), self.input.words())
    }

    fn check(&self, input: &Input, models: &[Model]) -> Result<()> {
        let channels = input.channels.names().len();
        let asks_markov = models.contains(&Model::Markov);
        ensure!(
            !asks_markov || channels <= MOST_CHANNELS,
            "{} has {channels} channels, and a Markov chain takes at most {MOST_CHANNELS}: name another --model",
            input.source
        );
        let per_journey = asks_markov && self.settings.definition == Way::PerJourney;
        ensure!(
            self.merge.is_none() || !per_journey,
            "--definition per-journey divides each journey anew, and of earlier days only statistics are left: leave \
             --merge out, or say --definition global"
        );
        Ok(())
    }

    fn say(
        &self,
        input: Input,
        kept: Option<Kept>,
        (models, lesson): (&[Model], Option<Lesson>),
        watch: &Watch,
    ) -> Result<(Said, Kept)> {
        self.check(&input, models)?;
        let (journeys, settings) = (&input.journeys, &self.settings);
        let channels = input.channels.names().len();
        let mut now = Kept::new(&input, self.made_of());
        let mut told = Vec::new();
        for model in models {
            watch.step(format!("asking {}", model.name()))?;
            if let Some(lesson) = lesson.as_ref().filter(|_| *model == Model::Learned) {
                told.push(Told::learned(lesson, journeys));
                watch.done();
                continue;
            }
            let begin = match kept.as_ref().and_then(|before| before.like(*model)) {
                Some(Folded::FirstOrder(_)) => Folded::FirstOrder(Default::default()),
                _ => model.begin(settings, channels)?,
            };
            let mut folded = fold(journeys, None, &begin);
            if let Some(before) = kept.as_ref() {
                folded.merge(before.of(*model, &folded, &now)?);
            }
            let said = credited(&folded, (journeys, None), settings, self.run.seed);
            let removal = folded.effects().map(|it| it.channels.iter().map(|it| it.conversions).collect());
            told.push(Told {
                model: *model,
                credit: said.credit,
                organic: None,
                margin: said.margin,
                sampled: None,
                removal,
            });
            if *model != Model::Learned {
                now.keep(*model, folded);
            }
            watch.done();
        }
        if let Some(before) = &kept {
            now.add(before);
        } else if 0 < settings.bootstrap {
            // A game that was sampled says itself how sure it is.
            let exact: Vec<Model> = told.iter().filter(|it| it.margin.is_none()).map(|it| it.model).collect();
            let sampled =
                bootstrap::intervals(journeys, (&exact, lesson.as_ref()), settings, (self.run.seed, watch))?;
            let exact = told.iter_mut().filter(|it| it.margin.is_none());
            exact.zip(sampled).for_each(|(told, sampled)| told.sampled = Some(sampled));
        }
        let (total, nulls) = now.totals();
        let decide_by = decide_by(models, lesson.as_ref(), total.conversions, input.timed);
        let channels = input.channels.clone();
        Ok((Said { input, channels, told, total, nulls, decide_by, lesson }, now))
    }
}

impl Told {
    fn learned(lesson: &Lesson, journeys: &Journeys) -> Self {
        let divided = lesson.credit(journeys);
        Self {
            model: Model::Learned,
            credit: divided.credit,
            organic: Some(divided.organic),
            margin: None,
            sampled: None,
            removal: None,
        }
    }
}

impl Said {
    /// What was learned, as a version of a model.
    fn publication(
        &self,
        (by, seed): (By, u64),
        report: String,
        clock: &Clock,
    ) -> Result<Option<Publication>> {
        let (Some(lesson), Some(watched)) = (&self.lesson, &self.input.watched) else { return Ok(None) };
        let told = (&self.input, watched, &self.channels);
        learned::publication(lesson, told, (by, seed, report, clock)).map(Some)
    }
}

/// The model to decide by, of those that were asked: one that learns, where there is enough to learn from, and a rule
/// otherwise. What nothing was learned from does not count.
fn decide_by(models: &[Model], lesson: Option<&Lesson>, conversions: f64, timed: bool) -> (Model, String) {
    let asked = |model: &Model| models.contains(model);
    let is_learned = |model: &Model| *model != Model::Learned || lesson.is_some();
    let learns = [Model::Learned, Model::Markov, Model::Shapley].into_iter().filter(is_learned).find(asked);
    let rules = if timed { [Model::TimeDecay, Model::Linear] } else { [Model::Linear, Model::TimeDecay] };
    let rule = rules.into_iter().find(asked);
    let few = format!("{conversions:.0} conversions are fewer than the {ENOUGH:.0}");
    match (learns, rule) {
        (Some(model), _) if ENOUGH <= conversions => {
            (model, format!("{conversions:.0} conversions are enough to learn from ({ENOUGH:.0})"))
        }
        (Some(_), Some(rule)) => (
            rule,
            format!("{few} from which on a model that learns is better than a rule that knows nothing"),
        ),
        (Some(model), None) => {
            (model, format!("no rule was asked for; but {few} from which on it is better than a rule"))
        }
        (None, _) if models == [Model::Learned] => (
            Model::Learned,
            "it was asked for, and its rule divided, as there was too little to learn from".to_owned(),
        ),
        (None, _) => (models.first().copied().unwrap_or(Model::Last), "it was asked for".to_owned()),
    }
}
