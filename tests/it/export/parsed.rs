//! A parser of both formats, as strict as their specifications.

use std::collections::{BTreeMap, HashSet};

pub(super) type Labels = BTreeMap<String, String>;

/// A text, read.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// What each family is.
    pub(super) types: BTreeMap<String, String>,
    pub(super) units: BTreeMap<String, String>,
    /// In their order.
    pub(super) samples: Vec<(String, Labels, f64)>,
}

impl Parsed {
    /// Reads a text, and panics where it is not as it should be.
    pub(super) fn of(text: &str, open: bool) -> Self {
        let mut parsed = Self::default();
        let mut family = String::new();
        let body = match text.strip_suffix("# EOF\n") {
            Some(body) if open => body,
            None if !open => text,
            _ => panic!("{} `# EOF`", if open { "no" } else { "an" }),
        };
        assert!(body.is_empty() || body.ends_with('\n'));
        let mut helped = HashSet::new();
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let [kind, name, rest]: [&str; 3] = {
                    let mut parts = comment.splitn(3, ' ');
                    std::array::from_fn(|_| parts.next().unwrap())
                };
                match kind {
                    "HELP" => assert!(helped.insert(name.to_owned()), "{name} again"),
                    "TYPE" => {
                        let known = parsed.types.insert(name.to_owned(), rest.to_owned());
                        assert_eq!(known, None, "{name} again");
                        name.clone_into(&mut family);
                    }
                    "UNIT" if open => {
                        assert!(name.ends_with(&format!("_{rest}")), "{line}");
                        parsed.units.insert(name.to_owned(), rest.to_owned());
                    }
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (name, labels, value) = sample(line);
            let endings: &[&str] = match (&*parsed.types[&family], open) {
                ("counter", true) => &["_total"],
                ("counter" | "gauge", _) => &[""],
                ("histogram", _) => &["_bucket", "_sum", "_count"],
                (other, _) => panic!("{other}"),
            };
            let mut names = endings.iter().map(|ending| format!("{family}{ending}"));
            assert!(names.any(|it| it == name), "{line} in {family}");
            parsed.samples.push((name, labels, value));
        }
        assert_eq!(helped.len(), parsed.types.len());
        let distinct: HashSet<_> = parsed
            .samples
            .iter()
            .map(|(name, labels, _)| (name, labels))
            .collect();
        assert_eq!(
            distinct.len(),
            parsed.samples.len(),
            "a series is there twice"
        );
        parsed
    }

    /// The value of the one sample with this name that has these labels, and maybe more.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<f64> = self.of_name(name, labels).map(|(_, value)| value).collect();
        let [value] = found[..] else {
            panic!("{name} {labels:?}: {found:?} in {self:#?}")
        };
        value
    }

    pub(super) fn of_name<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a Labels, f64)> {
        let all = self.samples.iter().filter(move |(it, _, _)| it == name);
        let all = all.map(|(_, labels, value)| (labels, *value));
        all.filter(move |(has, _)| {
            let mut wanted = labels.iter();
            wanted.all(|(name, value)| has.get(*name).is_some_and(|it| it == value))
        })
    }
}

fn sample(line: &str) -> (String, Labels, f64) {
    let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("{line}"));
    let mut letters = rest.chars();
    let mut labels = Labels::new();
    loop {
        let label: String = letters
            .by_ref()
            .take_while(|letter| *letter != '=')
            .collect();
        let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(!label.is_empty() && label.chars().all(plain), "{line}");
        assert_eq!(letters.next(), Some('"'), "{line}");
        let mut value = String::new();
        loop {
            match letters.next().unwrap_or_else(|| panic!("{line}")) {
                '"' => break,
                '\\' => value.push(match letters.next() {
                    Some('n') => '\n',
                    Some(same @ ('\\' | '"')) => same,
                    other => panic!("\\{other:?} in {line}"),
                }),
                other => value.push(other),
            }
        }
        assert_eq!(labels.insert(label, value), None, "{line}");
        match letters.next() {
            Some(',') => {}
            Some('}') => break,
            other => panic!("{other:?} in {line}"),
        }
    }
    let value = letters
        .as_str()
        .strip_prefix(' ')
        .unwrap_or_else(|| panic!("{line}"));
    (name.to_owned(), labels, value.parse().unwrap())
}
