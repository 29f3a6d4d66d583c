//! What people are called, and what they say.

use super::random::Random;

const FIRST: [&str; 24] = [
    "Mia", "Ben", "Aiko", "Luca", "Zoe", "Omar", "Ines", "Jonas", "Priya", "Noah", "Elif", "Tomas", "Sara", "Kofi",
    "Nina", "Hugo", "Leila", "Oskar", "Yuki", "Marta", "Ivan", "Chloe", "Tariq", "Anna",
];
const LAST: [&str; 25] = [
    "Tanaka", "Brown", "Rossi", "Okafor", "Lindgren", "Patel", "Novak", "Silva", "Keller", "Moreau", "Yilmaz",
    "Kowalska", "Garcia", "Ahmed", "Nielsen", "Costa", "Fischer", "Ito", "Mensah", "Dubois", "Petrov", "Murphy",
    "Haddad", "Jansen", "Sato",
];
const BIOS: [&str; 8] = [
    "Tea before talk.",
    "Collects pots that leak.",
    "Coffee in the morning, #tea after.",
    "I read the leaves.",
    "Two cups a day, or nine.",
    "Looking for the first flush.",
    "Mugs: 31. Shelf space: none.",
    "",
];
/// The first ones are used most.
const TAGS: [&str; 8] = ["#tea", "#coffee", "#sencha", "#assam", "#FirstFlush", "#mugs", "#rooibos", "#brewing"];
const PLACES: [usize; TAGS.len()] = [0, 1, 2, 3, 4, 5, 6, 7];
const POSTS: [&str; 16] = [
    "Three minutes, not four.",
    "The parcel is here, and nothing in it is broken.",
    "Who else waits for the new harvest?",
    "Rain outside, kettle on.",
    "My neighbour says that it is only hot water.",
    "The blue mug again.",
    "Second infusion is the best one.",
    "Ordered on Monday, drunk on Tuesday.",
    "I have found the lid!",
    "A pot for one is a small pot.",
    "The signed pot is sold out, of course.",
    "Milk first or last? Wrong, none.",
    "Somebody explain this price to me.",
    "It smells of wet hay, and I mean that well.",
    "Gave the recipes to my mother. She corrected them.",
    "Never again without a strainer.",
];
const REPLIES: [&str; 10] = [
    "So true.",
    "Try it colder.",
    "Where did you get that?",
    "I would not.",
    "Same here!",
    "That is what I said last week.",
    "Pictures, please.",
    "It depends on the water.",
    "Congratulations!",
    "No.",
];

/// What a person can be found under: the same whatever the seed, as are the other words of a profile.
pub(super) fn handle(person: u32) -> String {
    format!("{}_{person}", one_of(&FIRST, person).to_lowercase())
}

/// What others call a person.
pub(super) fn name(person: u32) -> String {
    format!("{} {}", one_of(&FIRST, person), one_of(&LAST, person))
}

/// What a person says of themselves.
pub(super) fn bio(person: u32) -> &'static str {
    one_of(&BIOS, person)
}

/// Something to say, sometimes with a hashtag or two, and to somebody.
pub(super) fn post(random: &mut Random, mentioned: Option<u32>) -> String {
    let mut words = vec![(*random.one_of(&POSTS)).to_owned()];
    words.extend(mentioned.map(|person| format!("@{}", handle(person))));
    for percent in [60, 20] {
        if random.chance(percent) {
            // Of two draws the smaller one.
            let (one, other) = (random.one_of(&PLACES), random.one_of(&PLACES));
            words.push(TAGS[*one.min(other)].to_owned());
        }
    }
    words.join(" ")
}

/// Something to answer.
pub(super) fn reply(random: &mut Random) -> String {
    (*random.one_of(&REPLIES)).to_owned()
}

fn one_of<'a>(all: &[&'a str], person: u32) -> &'a str {
    all[(person as usize - 1) % all.len()]
}
