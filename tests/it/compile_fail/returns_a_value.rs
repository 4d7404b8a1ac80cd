use fanfare::Signal;

fn main() {
    Signal::<u32>::new().on(async |n| n + 1);
}
