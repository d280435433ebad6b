// One element for the life of the page: Plotly.react keeps its zoom as long as uirevision stays.
let library;
const load = (address) => window.Plotly ? Promise.resolve() : (library ??= new Promise((ok, no) => {
  const script = document.createElement('script');
  script.src = address; script.onload = ok;
  script.onerror = () => { library = undefined; script.remove(); no(); };
  document.head.append(script);
}));
const grouped = (number) => {
  const [whole, rest] = String(number).split('.');
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',') + (rest ? '.' + rest : '');
};
// prices come as the exact words of the database; only their places on the screen are floats
const told = (trace, words) => trace.open.map((_, i) => [
  `${trace.x[i]} ${words.zone}`,
  ...['open', 'high', 'low', 'close', 'volume']
    .map((name) => `${words[name]} ${grouped(trace[name][i])}`),
].join('<br>'));
const themed = (el, figure) => {
  const style = getComputedStyle(el), value = (name) => style.getPropertyValue(name).trim();
  const axis = {gridcolor: value('--st-border-color'), zeroline: false, automargin: true};
  const ground = value('--st-background-color');
  const layout = figure.layout, touch = matchMedia('(pointer: coarse)').matches;
  Object.assign(layout, {
    paper_bgcolor: ground, plot_bgcolor: ground, autosize: true,
    dragmode: touch ? false : 'pan',  // a finger scrolls the page
    font: {color: value('--st-text-color'), family: value('--st-font'), size: 11},
    hoverlabel: {
      bgcolor: value('--st-secondary-background-color'), bordercolor: value('--st-border-color'),
      font: {color: value('--st-text-color'), family: value('--st-font'), size: 11},
    },
    modebar: {bgcolor: 'rgba(0,0,0,0)', color: value('--st-text-color'),
              activecolor: value('--st-primary-color')},
  });
  for (const name of ['xaxis', 'yaxis', 'yaxis2']) layout[name] = {...axis, ...layout[name]};
  Object.assign(layout.xaxis, {
    spikecolor: value('--st-text-color'), spikethickness: 1, spikedash: 'dot',
  });
  for (const shape of layout.shapes ?? []) {
    if (shape.label) shape.label.font = {...layout.font, ...shape.label.font};
  }
  return layout;
};
const CONFIG = {
  responsive: true, scrollZoom: true, displaylogo: false, doubleClick: 'reset', showTips: false,
  showSendToCloud: false, plotlyServerURL: '',  // nothing leaves this machine
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'], locale: 'ctp',
};
const draw = (el) => {
  const data = el.ctp;
  if (!data || !window.Plotly || !el.isConnected) return;
  const figure = JSON.parse(data.figure);
  for (const trace of figure.data) {
    if (trace.type === 'candlestick') trace.text = told(trace, figure.words);
    if (trace.type === 'scatter' && el.clientWidth < 600) trace.marker.size *= 0.7;
  }
  window.Plotly.register({moduleType: 'locale', name: 'ctp', dictionary: data.buttons, format: {}});
  window.Plotly.react(el, figure.data, themed(el, figure), CONFIG);
};
const zoomed = (el, part, shift) => {
  const axis = el._fullLayout.xaxis, [from, to] = axis.range.map((at) => axis.r2l(at));
  const middle = (from + to) / 2 + (to - from) * shift, half = (to - from) * part / 2;
  window.Plotly.relayout(el, {'xaxis.range': [axis.l2r(middle - half), axis.l2r(middle + half)]});
};
const KEYS = {
  '+': [0.8, 0], '=': [0.8, 0], '-': [1.25, 0], ArrowLeft: [1, -0.1], ArrowRight: [1, 0.1],
};
const pressed = (event) => {
  const el = event.currentTarget;
  if (!el._fullLayout || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '0' || event.key === 'Home') {
    window.Plotly.relayout(el, {'xaxis.autorange': true, 'yaxis.autorange': true});
  } else if (KEYS[event.key]) {
    zoomed(el, ...KEYS[event.key]);
  } else return;
  event.preventDefault();
};
export default function ({data, parentElement}) {
  const el = parentElement.querySelector('.ctp-live');
  const changed = el.ctp?.figure !== data.figure;
  el.ctp = data;
  el.setAttribute('aria-label', data.label);
  el.onkeydown = pressed;
  el.ctpWatch?.disconnect();
  el.ctpWatch = new MutationObserver(() => draw(el));
  el.ctpWatch.observe(document.querySelector('.stApp'),
                      {attributes: true, attributeFilter: ['class', 'style']});
  load(data.script).then(() => { if (changed || !el._fullLayout) draw(el); })
    .catch(() => { el.textContent = data.failure; });
  return () => el.ctpWatch.disconnect();
}
