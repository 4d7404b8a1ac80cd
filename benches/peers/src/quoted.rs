//! Figures of another language, quoted as the design's goals state them: what runs in another runtime cannot take its turn in our rounds. Another
//! day on the same kind of machine is no better than another run, so these ratios say which order of magnitude, and no more.

/// A figure that is not measured here: nanoseconds an emission whose listeners do nothing, at 1, 10 and 100 of them.
pub(crate) struct Quoted {
    pub(crate) name: &'static str,
    pub(crate) nanos: [f64; 3],
}

pub(crate) const SYNC: Quoted = Quoted {
    name: "quoted: signals in Go, synchronous emit",
    nanos: [10.0, 41.0, 357.0],
};

pub(crate) const AWAITED: Quoted = Quoted {
    name: "quoted: signals in Go, awaited concurrent emit",
    nanos: [700.0, 3_500.0, 34_000.0],
};
