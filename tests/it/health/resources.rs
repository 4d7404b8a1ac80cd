//! Tasks and memory.

use fanfare::Bus;
use fanfare::observe::{Reason, Severity};

use super::{check, green, red};
use crate::support::settle;

#[tokio::test]
async fn more_tasks_than_there_should_be_degrade() {
    let bus = Bus::new();
    let check = check(&bus).max_tasks(5).build();
    let spawn = || tokio::spawn(std::future::pending::<()>());
    let five: Vec<_> = (0..5).map(|_| spawn()).collect();
    green(&check.health());
    let sixth = spawn();
    let reason = red(&check.health(), "many_tasks", Severity::Degraded);
    assert_eq!(reason, Reason::ManyTasks { alive: 6, most: 5 });
    green(&bus.health());
    sixth.abort();
    settle().await;
    green(&check.health());
    assert_eq!(check.health().alive_tasks, Some(5));
    five.iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn without_a_runtime_nobody_knows_the_tasks() {
    assert_eq!(Bus::new().health().alive_tasks, None);
}

#[test]
fn more_memory_than_there_should_be_degrades() {
    let bus = Bus::new();
    let resident = bus.health().resident;
    assert_eq!(resident.is_some(), cfg!(target_os = "linux"));
    let Some(resident) = resident else {
        return;
    };
    // A test binary has a megabyte, and no terabyte.
    assert!((1 << 20..1 << 40).contains(&resident), "{resident}");
    let limited = |bytes| check(&bus).max_memory(bytes).build().health();
    let reason = red(&limited(1 << 20), "much_memory", Severity::Degraded);
    assert!(matches!(reason, Reason::MuchMemory { most, .. } if most == 1 << 20));
    green(&limited(1 << 40));
}
