//! Streams and sinks: readers at their own pace, a gap as a value, a stream that feeds a signal, and the next events of several types.

use std::error::Error;

use fanfare::{Bus, Overflow};
use futures::{StreamExt, stream};

/// A measurement of one room.
#[derive(Clone, Debug)]
struct Measured {
    room: u32,
    degrees: i32,
}

/// A room is too cold.
#[derive(Clone, Debug)]
struct Frost {
    room: u32,
}

/// Somebody has closed a window.
#[derive(Clone, Debug)]
struct WindowClosed {
    room: u32,
}

/// Twelve measurements of four rooms, falling from 5 degrees.
fn measurements() -> impl Iterator<Item = Measured> {
    (0..12).map(|n| Measured {
        room: u32::try_from(n % 4).expect("a small number"),
        degrees: 5 - n,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new();

    // One reader has room for all, one for four and wants to know what it misses, one only looks at the cold.
    let all = bus.stream::<Measured>();
    let slow = bus
        .listen::<Measured>()
        .key("slow")
        .stream()
        .buffer(4)
        .build()?;
    let mut slow = slow.with_lag();
    let cold = bus
        .listen::<Measured>()
        .filter(|measured| measured.degrees < 0)
        .stream()
        .overflow(Overflow::Wait)
        .build()?;

    // The cold ones become events of their own: a stream of one signal is forwarded to the sink of another.
    let frost = cold.map(|measured| {
        Ok(Frost {
            room: measured.room,
        })
    });
    let alarms = tokio::spawn(frost.forward(bus.sink::<Frost>()));

    // Listened to from here on, whichever comes first, and awaited later.
    let third = bus.next(|frost: &Frost| frost.room == 3);
    let both = bus.next_all::<(Frost, WindowClosed)>();

    // Whatever is a stream can be emitted.
    stream::iter(measurements())
        .map(Ok)
        .forward(bus.sink())
        .await?;
    let _ = bus.emit(WindowClosed { room: 2 }).await;

    if let Some(frost) = third.await {
        println!("frost in room {}", frost.room);
    }
    if let Some((frost, closed)) = both.await {
        println!(
            "first frost in room {}, a window closed in room {}",
            frost.room, closed.room
        );
    }

    // What the slow one holds, and what it does not, in order.
    slow.stream().close();
    while let Some(item) = slow.next().await {
        match item {
            Ok(measured) => println!(
                "slow: {} degrees in room {}",
                measured.degrees, measured.room
            ),
            Err(gap) => println!("slow: {gap}"),
        }
    }

    all.close();
    let coldest = all
        .map(|measured| measured.degrees)
        .fold(i32::MAX, async |a, b| a.min(b));
    println!("coldest: {} degrees", coldest.await);

    let left = bus.shutdown(std::time::Duration::from_secs(1)).await;
    alarms.await??;
    println!("{left}");
    Ok(())
}
