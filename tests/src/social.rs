//! What tests do as people: profiles, posts and what they are to each other.

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    server::Server,
};

/// `profileCreate`.
const CREATE: &str = "mutation Create($input: ProfileCreateInput!) { profileCreate(input: $input) {
    profile { id } position userErrors { code message field } } }";
/// `postPublish`, with all that a post shows.
pub const PUBLISH: &str = "mutation Publish($input: PostPublishInput!) { postPublish(input: $input) {
    post { id text author { handle } media { url alt } product { sku } mentions { handle profile { handle } } hashtags
        visibility isReply depth replyTo { id text } threadRoot { id } isQuote quoted { id text } isRepost edits editedAt
        publishedAt version }
    position isRepeat userErrors { code message field postId currentVersion } } }";
/// `post`.
pub const POST: &str = "query Post($id: ID!, $minPosition: Position) { post(id: $id, minPosition: $minPosition) {
    id text author { handle } visibility isReply depth replyTo { id text } threadRoot { id } isQuote quoted { id text }
    isRepost repostOf { id text } hashtags mentions { handle profile { handle } } edits editedAt version
    behind { number } } }";

/// Somebody with a profile.
#[derive(Debug)]
pub struct Person {
    /// They themselves.
    pub client: Client,
    /// The id of their profile.
    pub id: String,
}

impl Person {
    /// Somebody who is found under their name.
    pub async fn join(server: &Server, name: &str) -> Self {
        let client = server.customer(name);
        let answer = client.graphql(CREATE, json!({ "input": { "handle": name, "displayName": name } })).await;
        let id = answer.done("profileCreate")["profile"]["id"].as_str().expect("an id").to_owned();
        Self { client, id }
    }

    /// Does something to somebody, such as `userFollow`.
    pub async fn to(&self, mutation: &str, id: &str) -> Answer {
        self.to_with(mutation, json!({ "id": id })).await
    }

    /// The same with this input.
    pub async fn to_with(&self, mutation: &str, input: Value) -> Answer {
        let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
        let document = format!(
            "mutation M($input: {name}Input!) {{ {mutation}(input: $input) {{
                relation {{ profile {{ id handle }} isFollowing isFollowedBy isBlocking isMuting }}
                position isRepeat userErrors {{ code message field }} }} }}"
        );
        self.client.graphql(&document, json!({ "input": input })).await
    }

    /// Publishes this.
    pub async fn publish(&self, input: Value) -> Answer {
        self.client.graphql(PUBLISH, json!({ "input": input })).await
    }

    /// Says this to everybody. Gives the id of the post.
    pub async fn say(&self, text: &str) -> String {
        self.publish(json!({ "text": text })).await.text("/postPublish/post/id")
    }

    /// Takes a post back.
    pub async fn delete(&self, post: &str) -> Answer {
        let document = "mutation D($input: PostDeleteInput!) { postDelete(input: $input) {
            deletedId position isRepeat userErrors { code message field } } }";
        self.client.graphql(document, json!({ "input": { "id": post } })).await
    }

    /// The post as they see it once everything up to the position of `after`, an answer to `mutation`, is there.
    pub async fn sees(&self, post: &str, after: &Answer, mutation: &str) -> Value {
        let position = after.get(&format!("/{mutation}/position"));
        self.client.graphql(POST, json!({ "id": post, "minPosition": position })).await.get("/post").clone()
    }
}
