// The console: GraphiQL over this server's own transports. Queries and mutations go over HTTP, subscriptions over
// WebSocket (graphql-transport-ws). The token stays in this tab's session storage and goes to this server only.
"use strict";

(() => {
  const ENDPOINT = "/graphql";
  const TOKEN_KEY = "millrace.token";
  const { parse, getOperationAST } = GraphiQL.GraphQL;

  const field = document.getElementById("token");
  const viewer = document.getElementById("viewer");

  const token = () => field.value.trim().replace(/^bearer\s+/i, "");
  const authorization = () => (token() ? { authorization: `Bearer ${token()}` } : {});

  // What the token says, for the person in front of the screen. The server believes none of it unverified.
  function describe(text) {
    if (!text) return { text: "not signed in", state: "none" };
    try {
      const part = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
      const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
      const claims = JSON.parse(new TextDecoder().decode(bytes));
      const ends = new Date(claims.exp * 1000);
      const state = ends > new Date() ? "good" : "bad";
      const until = `${state === "good" ? "until" : "ended"} ${ends.toLocaleString()}`;
      return { text: `${claims.sub} · ${claims.role} · ${until}`, state };
    } catch {
      return { text: "this is not a token", state: "bad" };
    }
  }

  let sockets = null;

  // A socket is signed in once, when it opens: another token needs another socket.
  function tokenChanged() {
    sessionStorage.setItem(TOKEN_KEY, field.value);
    const shown = describe(token());
    viewer.textContent = shown.text;
    viewer.dataset.state = shown.state;
    sockets?.dispose();
    sockets = null;
  }

  function socketClient() {
    const url = new URL(ENDPOINT, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    sockets ??= graphqlWs.createClient({ url: url.href, connectionParams: authorization, retryAttempts: 3 });
    return sockets;
  }

  function isSubscription(params, options) {
    const document = options?.documentAST ?? parse(params.query);
    return getOperationAST(document, params.operationName)?.operation === "subscription";
  }

  async function post(params, options) {
    const response = await fetch(ENDPOINT, {
      method: "POST",
      credentials: "omit",
      headers: {
        accept: "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        ...authorization(),
        ...options?.headers,
      },
      body: JSON.stringify(params),
    });
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      return { errors: [{ message: `HTTP ${response.status}: ${text || response.statusText}` }] };
    }
  }

  // GraphiQL takes anything with `subscribe` as a stream of results.
  function subscribe(params) {
    return {
      subscribe(observer) {
        const unsubscribe = socketClient().subscribe(params, {
          next: (result) => observer.next(result),
          complete: () => observer.complete(),
          error: (problem) => {
            if (Array.isArray(problem)) {
              observer.next({ errors: problem });
            } else if (problem instanceof CloseEvent) {
              const reason = problem.reason || "no reason given";
              observer.next({ errors: [{ message: `socket closed with ${problem.code}: ${reason}` }] });
            } else {
              observer.next({ errors: [{ message: problem?.message ?? "the socket could not be opened" }] });
            }
            observer.complete();
          },
        });
        return { unsubscribe };
      },
    };
  }

  const WELCOME = `# Paste a token above. In development, \`millrace token --subject alice --role customer\` prints one.
# Ctrl-Enter runs the document, Ctrl-Space completes, and the book on the left explains every field.
# Subscriptions run over WebSocket, everything else over HTTP.

query Welcome {
  __schema {
    queryType {
      fields {
        name
        description
      }
    }
  }
}
`;

  const root = ReactDOM.createRoot(document.getElementById("console"));

  // GraphiQL reads the schema anew when it gets another fetcher: another token may show another schema.
  function render() {
    const fetcher = (params, options) => (isSubscription(params, options) ? subscribe(params) : post(params, options));
    root.render(
      React.createElement(GraphiQL, {
        fetcher,
        defaultQuery: WELCOME,
        defaultEditorToolsVisibility: "variables",
        shouldPersistHeaders: false,
      }),
    );
  }

  field.value = sessionStorage.getItem(TOKEN_KEY) ?? "";
  field.addEventListener("input", tokenChanged);
  field.addEventListener("change", render);
  tokenChanged();
  render();
})();
