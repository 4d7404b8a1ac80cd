//! How a bench without criterion was started.

/// Whether this run only has to show that the bench works, and says so if it does: `cargo bench -- --test`, or any start that is not `cargo bench`.
pub(crate) fn is_test() -> bool {
    let args: Vec<String> = std::env::args().collect();
    let given = |flag: &str| args.iter().any(|arg| arg == flag);
    let test = given("--test") || !given("--bench");
    if test {
        println!("A test run: it shows that the bench works, and its figures mean nothing.\n");
    }
    test
}
