//! `millrace schema`: the GraphQL schema.

/// The schema in SDL.
pub fn run() -> String {
    crate::graphql::sdl().trim_end().to_owned()
}
