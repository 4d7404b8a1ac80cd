//! x
use fanfare::*;
use std::sync::Arc;
use std::sync::atomic::*;
use std::time::Duration;

fn assert_send<T: Send>(t: T) -> T {
    t
}

#[tokio::test(start_paused = true)]
async fn modes() {
    for d in [
        Dispatch::Concurrent,
        Dispatch::Parallel,
        Dispatch::Sequential,
    ] {
        for pool in [None, Some(Pool::new(1)), Some(Pool::new(3))] {
            let mut b = Signal::<u32>::builder().dispatch(d);
            if let Some(p) = pool.clone() {
                b = b.pool(p);
            }
            let s = b.build();
            let n = Arc::new(AtomicUsize::new(0));
            for i in 0..20 {
                let n = n.clone();
                s.listen()
                    .key(format!("k{i}"))
                    .stage(i / 10)
                    .on(async move |e| {
                        if i % 3 == 0 {
                            tokio::time::sleep(Duration::from_millis(u64::from(e))).await;
                        }
                        n.fetch_add(1, Ordering::Relaxed);
                        if i % 5 == 4 {
                            panic!("boom {i}");
                        }
                        if i % 5 == 3 {
                            return Err("err");
                        }
                        Ok(())
                    })
                    .unwrap();
            }
            let r = assert_send(s.emit(5)).await;
            assert_eq!(n.load(Ordering::Relaxed), 20);
            assert_eq!((r.delivered(), r.failed()), (12, 8), "{r}");
            let keys: Vec<_> = r.failures().map(|f| f.key().unwrap().to_owned()).collect();
            assert_eq!(keys, ["k3", "k4", "k8", "k9", "k13", "k14", "k18", "k19"]);
            if let Some(p) = pool {
                assert_eq!(p.in_use(), 0);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nested() {
    let a = Pool::new(1);
    let bus = Bus::builder().pool(a.clone()).build();
    let b2 = bus.clone();
    bus.on(async move |n: u32| {
        tokio::task::yield_now().await;
        if n > 0 {
            let (x, y, z) = tokio::join!(b2.emit(n - 1), b2.emit(0_u32), b2.emit(0_u32));
            assert_eq!(
                (x.delivered(), y.delivered(), z.delivered()),
                (1, 1, 1),
                "{y:?}"
            );
        }
    });
    let r = bus.emit(5_u32).await;
    assert_eq!(r.delivered(), 1, "{r:?}");
    assert_eq!(a.in_use(), 0);
    println!("{} size", size_of_val(&bus.emit(1_u32)));
}
