/// What the page refers to. It is served like the page, so that its policy can forbid everything else.
enum PageFiles {
    static let style = """
        :root {
          color-scheme: light dark;
          --back: #f6f7f9; --card: #fff; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --link: #0a58ca;
          --good: #116329; --good-back: #d8f3e0; --bad: #a40e26; --bad-back: #ffe1e4; --plot: #0a58ca; --away: #d9a6ad;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --back: #14171b; --card: #1e2228; --text: #e4e8ed; --soft: #9aa5b1; --line: #363d46; --link: #79b0ff;
            --good: #7ee2a0; --good-back: #123b22; --bad: #ffa3ad; --bad-back: #4d1620; --plot: #79b0ff; --away: #5c2a32;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--back); color: var(--text);
          font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere;
        }
        a { color: var(--link); }
        h1 { font-size: 1.4rem; margin: .5rem 0 1rem; }
        h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
        .badge {
          display: inline-block; padding: .1rem .6rem; border-radius: 1rem; font-size: .9rem; font-weight: 600;
          vertical-align: middle; white-space: nowrap;
        }
        .good { color: var(--good); background: var(--good-back); }
        .bad, #alarm { color: var(--bad); background: var(--bad-back); }
        #alarm { padding: .6rem .8rem; border-radius: .4rem; font-weight: 600; }
        .reason { color: var(--bad); margin: .4rem 0; }
        .none, dt, .axis, figcaption { color: var(--soft); }
        .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .6rem; margin: 0; }
        /* Wide enough for a segment's name. */
        @media (min-width: 45rem) { .figures { grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); } }
        .figures div, figure, .error { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; }
        .figures div { padding: .5rem .7rem; }
        dt { font-size: .85rem; }
        dd { margin: 0; font-variant-numeric: tabular-nums; }
        figure { margin: 1rem 0 0; padding: .6rem .7rem; }
        figcaption b { float: right; font-weight: 500; }
        svg { display: block; width: 100%; height: 8rem; margin: .4rem 0; border-bottom: 1px solid var(--line); }
        .lag, .limit { fill: none; stroke: var(--plot); stroke-width: 2; vector-effect: non-scaling-stroke; }
        .limit { stroke: var(--bad); stroke-dasharray: 6 4; }
        .away { fill: var(--away); opacity: .6; }
        .axis { display: flex; justify-content: space-between; font-size: .85rem; }
        .error { padding: .1rem .8rem; white-space: pre-line; }
        .error p { margin: .5rem 0; }
        table { width: 100%; border-collapse: collapse; background: var(--card); }
        th, td { padding: .45rem .6rem; border: 1px solid var(--line); text-align: left; }
        .n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
        ul { margin: .4rem 0; padding-left: 1.2rem; }
        footer { margin-top: 2rem; padding-top: .8rem; border-top: 1px solid var(--line); font-size: .9rem; }
        footer a { margin-right: 1rem; }
        .old { opacity: .5; }

        """

    static let script = """
        "use strict";
        const live = document.getElementById("live"), alarm = document.getElementById("alarm");
        const pause = 5000, longest = 4000;
        let silentSince = null;
        async function refresh() {
          try {
            const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(longest) });
            if (!answer.ok) throw new Error(answer.statusText);
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            live.replaceChildren(...page.getElementById("live").childNodes);
            document.title = page.title;
            silentSince = null;
          } catch {
            silentSince ??= new Date();
            alarm.textContent =
              `The receiver has not answered since ${silentSince.toLocaleTimeString()}. What stands below is older.`;
            document.title = "no answer";
          }
          alarm.hidden = silentSince === null;
          live.classList.toggle("old", silentSince !== null);
          setTimeout(refresh, pause);
        }
        setTimeout(refresh, pause);

        """
}
