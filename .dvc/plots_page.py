"""Make plots_page.html, the page of `dvc plots show` and `dvc plots diff`: `make plots-page`.

DVC's own page asks a CDN for Vega's JavaScript and stays blank without a network; this one brings it along.
"""

from pathlib import Path

import vl_convert

PAGE = Path(__file__).with_suffix(".html")
NOTICE = """
The script below is Vega {vega}, Vega-Lite {vega_lite} and Vega-Embed {vega_embed}, as bundled by vl-convert-python,
with the D3 modules that they use (ISC license, Copyright 2010-2024 Mike Bostock).

Copyright (c) 2015-2025, University of Washington Interactive Data Lab and contributors. All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:
1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
   following disclaimer in the documentation and/or other materials provided with the distribution.
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote
   products derived from this software without specific prior written permission.
THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plots</title>
{refresh_tag}
<style>
body { font-family: system-ui, sans-serif; margin: 2em auto; max-width: 100em; padding: 0 1em }
table { border-spacing: 1em }
div { vertical-align: top }
img { max-width: 100% }
</style>
<!--NOTICE-->
<script>
"""


def page() -> str:
    """Return the page with DVC's place for the plots and without one for its scripts."""
    versions = {
        "vega": vl_convert.get_vega_version(),
        "vega_lite": vl_convert.get_vegalite_versions()[-1],
        "vega_embed": vl_convert.get_vega_embed_version(),
    }
    head = TEMPLATE.replace("NOTICE", NOTICE.format(**versions))
    # Not `type="module"`, which would run after the plots ask for it.
    script = f"(() => {{{vl_convert.javascript_bundle()}}})()"
    return f"{head}{script}\n</script>\n</head>\n<body>\n{{plot_divs}}\n</body>\n</html>\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
