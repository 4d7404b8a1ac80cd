//! Tuning a listener: where its calls live, what they hold up, and what to change.

use std::time::Duration;

use fanfare::{Dispatch, RegisterError, Signal};
use tokio::io::{AsyncWrite, AsyncWriteExt as _, sink};

#[derive(Clone)]
struct Upload {
    bytes: u64,
}

/// Keeps 4 KiB across its awaits: every call is boxed, one allocation each.
async fn copy_wide(upload: Upload) -> std::io::Result<()> {
    let block = [0_u8; 4_096];
    write_all(&block, upload.bytes, &mut sink()).await
}

/// Keeps a pointer across its awaits. It allocates only for what it really copies.
async fn copy_narrow(upload: Upload) -> std::io::Result<()> {
    if upload.bytes == 0 {
        return Ok(());
    }
    let block = vec![0_u8; 4_096];
    write_all(&block, upload.bytes, &mut sink()).await
}

async fn write_all(
    block: &[u8],
    mut left: u64,
    to: &mut (impl AsyncWrite + Unpin),
) -> std::io::Result<()> {
    while left > 0 {
        let now = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        to.write_all(&block[..now]).await?;
        left -= now as u64;
    }
    Ok(())
}

/// Burns the CPU for two milliseconds, and never waits.
fn digest(bytes: u64) {
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_millis(2) {
        std::hint::black_box(bytes);
    }
}

#[tokio::main]
async fn main() -> Result<(), RegisterError> {
    // Its warnings are part of what this shows.
    tracing_subscriber::fmt()
        .without_time()
        .with_writer(std::io::stdout)
        .with_ansi(false)
        .init();

    let uploads = Signal::<Upload>::builder().name("uploads").build();
    uploads.listen().key("copy, wide").on(copy_wide)?;
    uploads.listen().key("copy, narrow").on(copy_narrow)?;
    uploads.listen().key("count").on_sync(|_| {})?;
    let digesting = uploads
        .listen()
        .key("digest")
        .on(async |upload| digest(upload.bytes))?;

    // Some polls are timed. A listener whose polls are regularly long is named in the log: it holds up its emitter's task.
    for _ in 0..400 {
        let report = uploads.emit(Upload { bytes: 10_000 }).await;
        assert!(report.is_ok());
    }
    println!();
    show(&uploads);

    // What burns the CPU goes to tasks of its own.
    digesting.remove();
    let digests = Signal::<Upload>::builder()
        .name("digests")
        .dispatch(Dispatch::Parallel)
        .build();
    for part in ["head", "tail"] {
        let register = digests.listen().key(part);
        register.on(async |upload| digest(upload.bytes))?;
    }
    for _ in 0..100 {
        assert!(digests.emit(Upload { bytes: 10_000 }).await.is_ok());
    }
    println!();
    show(&digests);
    Ok(())
}

fn show(signal: &Signal<Upload>) {
    println!("{:<14} {:>6}  storage", signal.name(), "calls");
    for listener in signal.listeners() {
        let storage = listener.storage();
        println!(
            "  {:<12} {:>6}  {}",
            listener.key().unwrap_or("-"),
            listener.calls(),
            storage.map_or("no future".to_owned(), |storage| storage.to_string()),
        );
    }
}
