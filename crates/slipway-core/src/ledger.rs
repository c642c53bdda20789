// SPDX-License-Identifier: Apache-2.0
//! What has been counted of every model and version, for whoever wants to read it.
//!
//! Requests reach their meters by the snapshot and the servable; only loads, publications and readers
//! come here, and wait for each other. What is kept is bounded by what is configured and loaded,
//! however many versions come and go, and whatever names callers make up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::{Code, ExampleMeter, ExampleTally, Meter, Servable, Tallies};

/// The name that all models are counted under which are not configured.
pub const UNCONFIGURED: &str = "(unconfigured)";
/// Of requests that name no model; no model has this name.
const NAMELESS: &str = "";

/// Versions of a model that have left and are still told apart. Whoever reads now and then sees what
/// was counted of a version until its end, unless more than these have left since.
const REMEMBERED: usize = 4;

/// What is counted of one model, beside its signatures.
#[derive(Debug, Default)]
pub struct ModelMeter {
    /// Requests that got to no signature.
    pub requests: Meter,
    /// Of the calls that TensorFlow Serving counts examples of.
    pub examples: ExampleMeter,
}

/// How a load went.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadReport {
    pub time: Duration,
    /// The requests that the version brought to be warmed up with.
    pub replayed: Option<Replayed>,
}

/// Requests that were run to warm a version up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub records: usize,
    pub time: Duration,
}

/// What has been counted of one model.
#[derive(Clone, Debug, Default)]
pub struct ModelTally {
    /// Requests that got to no signature.
    pub early: Tallies,
    pub examples: ExampleTally,
    /// Loads, by code.
    pub loads: [u64; Code::ALL.len()],
    /// By number: those that are loaded, and the last ones that were.
    pub versions: BTreeMap<i64, VersionTally>,
    /// All others that there ever were, together.
    pub past: Tallies,
}

/// What has been counted of one version.
#[derive(Clone, Debug, Default)]
pub struct VersionTally {
    /// By the signature's name.
    pub signatures: BTreeMap<String, Tallies>,
    /// `None` once it has left.
    pub load: Option<LoadReport>,
}

impl ModelTally {
    /// Every request of the model, whatever it came to.
    pub fn all(&self) -> Tallies {
        let signatures = self.versions.values().flat_map(|version| version.signatures.values());
        let mut all = self.past.clone();
        signatures.chain([&self.early]).for_each(|tallies| add(&mut all, tallies));
        all
    }
}

fn add(sum: &mut Tallies, tallies: &Tallies) {
    for (kind, tally) in tallies {
        *sum.entry(*kind).or_default() += tally;
    }
}

/// The meters of all models.
#[derive(Debug)]
pub struct Ledger {
    unconfigured: Arc<ModelMeter>,
    nameless: Arc<ModelMeter>,
    models: Mutex<BTreeMap<String, Account>>,
}

/// What is kept of one model.
#[derive(Debug, Default)]
struct Account {
    is_configured: bool,
    meter: Arc<ModelMeter>,
    loads: [u64; Code::ALL.len()],
    /// Those that are loaded, or held by a request.
    versions: Vec<Version>,
    /// The last ones that have left, the latest last.
    left: VecDeque<Version>,
    past: Tallies,
}

#[derive(Debug)]
struct Version {
    number: i64,
    servable: Weak<Servable>,
    signatures: Vec<(String, Arc<Meter>)>,
    load: LoadReport,
}

impl Version {
    /// Whether nobody can count for it any more.
    fn is_gone(&self) -> bool {
        let is_alone = |(_, meter): &(String, Arc<Meter>)| Arc::strong_count(meter) == 1;
        self.servable.strong_count() == 0 && self.signatures.iter().all(is_alone)
    }
}

impl Account {
    /// Tells versions that have left from those that have not, and forgets the oldest.
    fn settle(&mut self) {
        let (gone, there) =
            std::mem::take(&mut self.versions).into_iter().partition(Version::is_gone);
        self.versions = there;
        self.left.extend::<Vec<_>>(gone);
        let forgotten = self.left.len().saturating_sub(REMEMBERED);
        for version in self.left.drain(..forgotten) {
            version.signatures.iter().for_each(|(_, meter)| meter.add_to(&mut self.past));
        }
    }

    fn tally(&self) -> ModelTally {
        let mut tally = ModelTally {
            examples: self.meter.examples.tally(),
            loads: self.loads,
            past: self.past.clone(),
            ..ModelTally::default()
        };
        self.meter.requests.add_to(&mut tally.early);
        for Version { number, servable, signatures, load } in self.left.iter().chain(&self.versions)
        {
            // One number may be there twice, while its folder is exchanged.
            let version = tally.versions.entry(*number).or_default();
            version.load = (servable.strong_count() > 0).then_some(*load).or(version.load);
            for (name, meter) in signatures {
                meter.add_to(version.signatures.entry(name.clone()).or_default());
            }
        }
        tally
    }
}

impl Ledger {
    /// The meter of a configured model; it stays the same as long as the model is.
    pub(crate) fn configured(&self, model: &str) -> Arc<ModelMeter> {
        let mut models = self.lock();
        let account = models.entry(model.to_owned()).or_default();
        account.is_configured = true;
        Arc::clone(&account.meter)
    }

    /// Where requests are counted that name `model`, which is not configured.
    pub(crate) fn of_stranger(&self, model: &str) -> &Arc<ModelMeter> {
        if model == NAMELESS {
            &self.nameless
        } else {
            &self.unconfigured
        }
    }

    /// Where requests are counted that name no model.
    pub fn nameless(&self) -> &Arc<ModelMeter> {
        &self.nameless
    }

    /// Has the models for which `is_configured` does not hold forgotten.
    pub(crate) fn retain(&self, is_configured: impl Fn(&str) -> bool) {
        self.lock().retain(|name, account| {
            if !is_stranger(name) {
                account.is_configured = is_configured(name);
            }
            account.settle();
            account.is_configured || !account.versions.is_empty()
        });
    }

    /// Takes note of a version that was loaded.
    pub(crate) fn loaded(&self, servable: &Arc<Servable>, load: LoadReport) {
        let mut models = self.lock();
        let account = models.entry(servable.id().model.clone()).or_default();
        account.loads[Code::Ok as usize] += 1;
        account.settle();
        account.versions.push(Version {
            number: servable.id().version,
            servable: Arc::downgrade(servable),
            signatures: servable.meters().collect(),
            load,
        });
    }

    /// Takes note of a version that could not be loaded.
    pub fn load_failed(&self, model: &str, code: Code) {
        let mut models = self.lock();
        let account = models.entry(model.to_owned()).or_default();
        account.loads[code as usize] += 1;
    }

    /// What has been counted until now of each configured model, and of requests for no such.
    pub fn tally(&self) -> BTreeMap<String, ModelTally> {
        let mut models = self.lock();
        models.values_mut().for_each(Account::settle);
        models
            .iter()
            .filter(|(_, account)| account.is_configured)
            .map(|(name, account)| (name.clone(), account.tally()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        // The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_stranger(name: &str) -> bool {
    [NAMELESS, UNCONFIGURED].contains(&name)
}

impl Default for Ledger {
    fn default() -> Self {
        let account = || Account { is_configured: true, ..Account::default() };
        let (unconfigured, nameless) = (account(), account());
        Self {
            unconfigured: Arc::clone(&unconfigured.meter),
            nameless: Arc::clone(&nameless.meter),
            models: Mutex::new(
                [(UNCONFIGURED.to_owned(), unconfigured), (NAMELESS.to_owned(), nameless)].into(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Api, Backend, Callable, Executor, Gone, Protocol, Result, RunPlanner, ServableId,
        Signature, Tensor,
    };

    struct Nothing;

    impl Backend for Nothing {
        fn run(
            &self,
            _: &Signature,
            _: Vec<Tensor>,
            _: &[usize],
            _: Executor,
        ) -> Result<Vec<Tensor>> {
            Ok(Vec::new())
        }
    }

    fn servable(version: i64) -> (Arc<Servable>, Gone) {
        let signature = Signature {
            name: "s".into(),
            method_name: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            defaults: BTreeMap::new(),
        };
        let planner = RunPlanner::new(true, None);
        let callable = Arc::new(Callable {
            signature,
            planner,
            checks_method_name: false,
            meter: Arc::default(),
        });
        let id = ServableId { model: "m".into(), version };
        let callables = [("s".to_owned(), Ok(callable))].into();
        Servable::new(id, callables, Default::default(), Box::new(Nothing))
    }

    /// A version as a request holds it.
    fn loaded(ledger: &Ledger, version: i64) -> (Arc<Servable>, Arc<Meter>) {
        let (servable, _) = servable(version);
        ledger.loaded(&servable, LoadReport::default());
        let meter = servable.meters().next().unwrap().1;
        (servable, meter)
    }

    fn count(meter: &Meter) {
        meter.failed(Api::Predict, Protocol::Grpc, Code::Internal);
    }

    fn counted(tallies: &Tallies) -> u64 {
        tallies.values().flat_map(|kind| kind.by_code()).map(|(_, count)| count).sum()
    }

    /// Of the one model: versions with what was counted for each, and of all requests.
    fn found(ledger: &Ledger) -> (Vec<(i64, u64)>, u64) {
        let tally = &ledger.tally()["m"];
        let of = |version: &VersionTally| version.signatures.values().map(counted).sum();
        let versions = tally.versions.iter().map(|(number, version)| (*number, of(version)));
        (versions.collect(), counted(&tally.all()))
    }

    #[test]
    fn versions_come_and_go_without_end_and_no_request_is_lost() {
        let ledger = Ledger::default();
        let model = ledger.configured("m");
        count(&model.requests);
        for version in 1..=1000 {
            let (_servable, meter) = loaded(&ledger, version);
            count(&meter);
        }
        let (versions, all) = found(&ledger);
        assert_eq!(versions, [(997, 1), (998, 1), (999, 1), (1000, 1)]);
        assert_eq!(all, 1001);
        assert_eq!(ledger.tally()["m"].loads[Code::Ok as usize], 1000);
        let models = ledger.lock();
        assert_eq!((models["m"].versions.len(), models["m"].left.len()), (0, REMEMBERED));
    }

    #[test]
    fn a_request_that_outlives_its_version_is_counted() {
        let ledger = Ledger::default();
        ledger.configured("m");
        let (servable, meter) = loaded(&ledger, 1);
        drop(servable);
        for version in 2..9 {
            loaded(&ledger, version);
        }
        assert_eq!(found(&ledger).1, 0);
        count(&meter);
        drop(meter);
        loaded(&ledger, 9);
        assert_eq!(found(&ledger).1, 1);
    }

    #[test]
    fn a_number_that_is_loaded_twice_is_one_version() {
        let ledger = Ledger::default();
        ledger.configured("m");
        let versions = [loaded(&ledger, 1), loaded(&ledger, 1)];
        versions.iter().for_each(|(_, meter)| count(meter));
        assert_eq!(found(&ledger), (vec![(1, 2)], 2));
        let [first, second] = versions;
        drop(second);
        assert!(ledger.tally()["m"].versions[&1].load.is_some());
        drop(first);
        assert!(ledger.tally()["m"].versions[&1].load.is_none());
        assert_eq!(found(&ledger), (vec![(1, 2)], 2));
    }

    #[test]
    fn only_configured_models_have_a_name() {
        let ledger = Ledger::default();
        let strangers = [UNCONFIGURED, NAMELESS];
        let names = || ledger.tally().into_keys().collect::<Vec<_>>();
        let (servable, _) = loaded(&ledger, 1);
        ledger.load_failed("n", Code::Internal);
        assert_eq!(names(), ["", UNCONFIGURED]);
        count(&ledger.of_stranger("whatever").requests);
        count(&ledger.of_stranger("").requests);
        let tally = ledger.tally();
        assert!(strangers.iter().all(|name| counted(&tally[*name].early) == 1));

        count(&ledger.configured("m").requests);
        assert_eq!(names(), ["", UNCONFIGURED, "m"]);
        ledger.retain(|_| false);
        assert_eq!(names(), ["", UNCONFIGURED]);
        ledger.configured("m");
        assert_eq!(found(&ledger).1, 1, "a version of it was there all along");
        drop(servable);
        ledger.retain(|_| false);
        ledger.configured("m");
        assert_eq!(found(&ledger), (vec![], 0));
    }

    #[test]
    fn a_model_may_have_any_name() {
        let ledger = Ledger::default();
        count(&ledger.of_stranger("other").requests);
        count(&ledger.configured(UNCONFIGURED).requests);
        assert_eq!(counted(&ledger.tally()[UNCONFIGURED].early), 2);
    }
}
