//! What remembers uses and ended sessions: events and metrics.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGauge};
use tracing::{debug, error, info, warn};

use super::catalogue::{Families, Label};
use super::{Event, Metrics, Telemetry};
use crate::replay::shared::{FaultKind, StoreFault, StoreObserver, StoreOp, StoreStatus};

/// The families. The labels are what a store is asked, and the kinds of faults.
#[derive(Clone)]
pub struct StoreMetrics {
    took: HistogramVec,
    /// Its children, by their place among the operations: resolved once, so that counting takes no lock.
    took_by: Arc<[OnceLock<Histogram>; StoreOp::ALL.len()]>,
    faults: IntCounterVec,
    lines: IntCounterVec,
    /// 1 while there is a connection to the shared store, and with the memory of one process.
    pub up: IntGauge,
    /// 1 while sessions may have been ended elsewhere that are not known here to be.
    pub stale: IntGauge,
    /// Seconds since the last look at the store that saw every ended session; -1 before the first.
    pub age: IntGauge,
    /// Orders that sessions are over, known here.
    pub ended: IntGauge,
    /// Orders that the store has not taken yet.
    pub waiting: IntGauge,
}

/// From the memory of this process, over a store on the same machine, to one that is as slow as people notice.
const SECONDS: [f64; 12] =
    [0.000_005, 0.000_025, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

impl StoreMetrics {
    pub(super) fn new(families: &mut Families) -> Result<Self, prometheus::Error> {
        const OP: Label =
            Label::new("op", "`consume`, `claim`, `release`, `end`, `sync`, `keep`, `fetch`, `tell`, `hear`");
        const OP_OR_CONNECT: Label = Label::new("op", "the same, and `connect`: the connection itself");
        const KIND: Label = Label::new("kind", "see [operations.md](operations.md)");
        const LINE: Label = Label::new("line", "`same`, `new`");
        families.group("Store");
        let out = Self {
            took: families.histograms(
                "grindvakt_store_seconds",
                "What the store took, by what it was asked. The memory of one process is asked `consume`, `claim`, `release` \
                 and `end` alone.",
                &[OP],
                &SECONDS,
            )?,
            took_by: Arc::default(),
            faults: families.counters(
                "grindvakt_store_faults_total",
                "What the store did not do, by what it was asked and the kind of fault; `connect` is the connection. The memory \
                 of one process has one kind, `full`.",
                &[OP_OR_CONNECT, KIND],
            )?,
            lines: families.counters(
                "grindvakt_store_connections_total",
                "Connections made to the shared store; `new`: after a take-over or a loss, logins begun before it begin again.",
                &[LINE],
            )?,
            up: families.gauge("grindvakt_store_up", "1 while uses can be remembered.")?,
            stale: families.gauge(
                "grindvakt_revocations_stale",
                "1 while sessions may have been ended elsewhere that are not known here to be.",
            )?,
            age: families.gauge(
                "grindvakt_revocations_age_seconds",
                "Seconds since every ended session was known here; -1 before the first time.",
            )?,
            ended: families.gauge("grindvakt_revocations", "Orders that sessions are over, known here.")?,
            waiting: families
                .gauge("grindvakt_revocations_waiting", "Orders that the shared store has not taken yet.")?,
        };
        out.up.set(1);
        Ok(out)
    }

    fn took(&self, op: StoreOp) -> Option<&Histogram> {
        let child = self.took_by.get(op as usize)?;
        Some(child.get_or_init(|| self.took.with_label_values(&[op.name()])))
    }

    /// Shows the families of a process that remembers for itself, likewise.
    pub fn know_memory(&self) {
        for op in StoreOp::OF_MEMORY {
            self.took(op);
        }
        for op in [StoreOp::Consume, StoreOp::Claim] {
            self.faults.with_label_values(&[op.name(), FaultKind::Full.code()]);
        }
    }

    /// Shows the families of a shared store before anything has happened: zero is the number that operators want to see.
    pub fn know_shared(&self) {
        for op in StoreOp::ALL {
            self.took(op);
            self.faults.with_label_values(&[op.name(), FaultKind::Unreachable.code()]);
        }
        for line in ["same", "new"] {
            self.lines.with_label_values(&[line]);
        }
    }

    /// Sets the gauges, when somebody looks.
    pub fn show(&self, status: Option<&StoreStatus>, ended: usize) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.ended.set(count(ended));
        let Some(status) = status else { return };
        self.up.set(i64::from(status.node.is_some()));
        self.stale.set(i64::from(status.stale));
        self.age.set(status.age.map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX)));
        self.waiting.set(count(status.waiting));
    }
}

/// The store was asked something.
pub struct StoreAsked<'a> {
    /// What.
    pub op: StoreOp,
    /// What was wrong.
    pub fault: Option<&'a StoreFault>,
    /// How long it took.
    pub took: Duration,
}

impl Event for StoreAsked<'_> {
    fn tell(self, metrics: &Metrics) {
        let store = &metrics.store;
        if let Some(took) = store.took(self.op) {
            took.observe(self.took.as_secs_f64());
        }
        if let Some(fault) = self.fault {
            store.faults.with_label_values(&[self.op.name(), fault.kind.code()]).inc();
            // The loss of the connection is told once, not by everyone whom it hits.
            debug!(event = "store_fault", op = self.op.name(), code = fault.kind.code(), detail = fault.detail);
        }
    }
}

/// There is a connection to the store.
pub struct StoreConnected<'a> {
    /// The primary.
    pub node: &'a str,
    /// Its memory is another one than before.
    pub new_line: bool,
}

impl Event for StoreConnected<'_> {
    fn tell(self, metrics: &Metrics) {
        let line = if self.new_line { "new" } else { "same" };
        metrics.store.lines.with_label_values(&[line]).inc();
        if self.new_line {
            warn!(
                event = "store_changed_hands",
                node = self.node,
                "the store's memory is another one: logins begun before it begin again"
            );
        } else {
            info!(event = "store_connected", node = self.node);
        }
    }
}

/// There is no connection to the store.
pub struct StoreLost<'a> {
    /// Why.
    pub fault: &'a StoreFault,
}

impl Event for StoreLost<'_> {
    fn tell(self, metrics: &Metrics) {
        metrics.store.faults.with_label_values(&["connect", self.fault.kind.code()]).inc();
        error!(
            event = "store_lost",
            code = self.fault.kind.code(),
            detail = self.fault.detail,
            "logins are refused until it is back; sessions go on"
        );
    }
}

/// Something about the store should be seen to.
pub struct StoreWarned<'a> {
    /// What.
    pub detail: &'a str,
}

impl Event for StoreWarned<'_> {
    fn tell(self, _: &Metrics) {
        warn!(event = "store_warning", detail = self.detail);
    }
}

impl StoreObserver for Telemetry {
    fn asked(&self, op: StoreOp, fault: Option<&StoreFault>, took: Duration) {
        self.emit(StoreAsked { op, fault, took });
    }

    fn connected(&self, node: &str, new_line: bool) {
        self.emit(StoreConnected { node, new_line });
    }

    fn lost(&self, fault: &StoreFault) {
        self.emit(StoreLost { fault });
    }

    fn warned(&self, detail: &str) {
        self.emit(StoreWarned { detail });
    }
}
