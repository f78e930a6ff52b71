#include "fcm/viz/sections.h"

namespace fcm::viz::report {

std::string_view page_style() {
  return R"(
:root{color-scheme:light dark;--ground:#fff;--card:#f7f8f9;--ink:#202124;--soft:#5f6368;
--rule:#e3e5e8;--accent:#0072b2;--good:#0a7d5a;--bad:#b3410b}
@media (prefers-color-scheme:dark){:root{--ground:#15171a;--card:#1d2024;--ink:#e3e5e8;
--soft:#9aa1ab;--rule:#30343a;--accent:#56b4e9;--good:#3ec9a0;--bad:#f08a4b}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
-webkit-text-size-adjust:100%}
main{max-width:1000px;margin:0 auto;padding:48px 24px 72px}
h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0 0 8px}
h2{font-size:19px;line-height:1.3;font-weight:650;letter-spacing:-.008em;margin:0 0 18px;
padding-top:14px;border-top:1px solid var(--rule)}
h3{font-size:13px;font-weight:600;margin:24px 0 8px}
section{margin:44px 0 0}
p{margin:0 0 12px;max-width:72ch}
.about{font-size:16px;margin:0 0 6px}
.meta{color:var(--soft);font-size:13.5px;margin:0;max-width:none}
.meta span{white-space:nowrap}.meta span:not(:last-child)::after{content:"·";margin:0 4px 0 8px}
.note{color:var(--soft);font-size:13px;margin:8px 0 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(142px,1fr));
margin:28px 0 0;padding:0;border:1px solid var(--rule);border-radius:10px;overflow:hidden}
.tiles div{padding:14px 16px 15px;box-shadow:1px 0 0 var(--rule),0 1px 0 var(--rule)}
.tiles dt{color:var(--soft);font-size:12.5px;margin:0 0 2px}
.tiles dd{margin:0;font-size:23px;line-height:1.25;font-weight:600;letter-spacing:-.01em;
font-variant-numeric:tabular-nums;white-space:nowrap}
.lead{font-size:16.5px;margin:0 0 6px;max-width:none}.lead+.chart{margin-top:26px}.lead b{font-weight:650}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:32px 36px}
.chart{margin:0}.chart+.chart{margin-top:32px}.pair .chart+.chart{margin-top:0}
.wide+.pair,.pair+.wide{margin-top:32px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th{font-weight:600;text-align:left;color:var(--soft);font-size:12.5px;vertical-align:bottom}
th,td{padding:7px 14px 7px 0;border-bottom:1px solid var(--rule)}
th:last-child,td:last-child{padding-right:0}
.number{text-align:right}
.classes th,.classes td{padding:4px 14px 4px 0}.classes .number{padding-right:14px;white-space:nowrap}
.classes td:first-child{overflow-wrap:anywhere}
.bar{position:relative;width:27%;text-align:right}.classes .bar{padding:0 16px 0 0}
.bar i{position:absolute;left:0;top:4px;bottom:4px;background:var(--accent);opacity:.28;
border-radius:2px;-webkit-print-color-adjust:exact;print-color-adjust:exact}.bar span{position:relative}
.classes th:nth-child(n+3){padding-right:16px}.pair+.note{margin-top:14px}
figure{margin:0 0 28px}figure:last-child{margin-bottom:0}
figure img{display:block;max-width:100%;height:auto;border:1px solid var(--rule);border-radius:6px}
figcaption{color:var(--soft);font-size:13px;margin-top:8px}
ul{margin:0;padding-left:20px}li{margin:3px 0}
.faults{font-size:14px;overflow-wrap:anywhere}
.fine{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
pre{background:var(--card);border:1px solid var(--rule);border-radius:8px;margin:0 0 12px;
padding:12px 14px;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,
"Liberation Mono",monospace;tab-size:4}
details{margin-top:16px}summary{cursor:pointer;font-weight:600;margin-bottom:10px}
.narrow{display:none}
@media screen and (max-width:640px){.full{display:none}.narrow{display:block}}
@media (max-width:600px){main{padding:28px 16px 48px}h1{font-size:25px}
.tiles dd{font-size:20px}}
@media print{:root{--ground:#fff;--card:#fff;--ink:#000;--soft:#555;--rule:#ccc;--accent:#0072b2;
--good:#0a7d5a;--bad:#b3410b}body{font-size:11pt}main{max-width:none;padding:0}
section{margin-top:28px}.pair{grid-template-columns:1fr 1fr;gap:20px 24px}
.tiles{grid-template-columns:repeat(3,1fr)}.tiles dd{font-size:15pt}h2,h3{break-after:avoid}figure,.chart,.tiles,tr{break-inside:avoid}
pre{white-space:pre-wrap}}
)";
}

}  // namespace fcm::viz::report
