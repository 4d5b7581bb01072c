// What is wrong with the page that is open, for people who do not see it, see it badly, or have no mouse. Returns
// sentences; none means that nothing was found.
const wrong = [];
const where = (element) => { const name = element.getAttribute('aria-label') || element.textContent.trim().slice(0, 40); return `<${element.tagName.toLowerCase()} class="${element.getAttribute('class') || ''}"> ${name}`; };
const box = (element) => element.getBoundingClientRect();
const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && box(element).width > 1 && box(element).height > 1;
const root = document.querySelector('dialog[open]') || document.body;
const all = (selector) => [...root.querySelectorAll(selector)].filter(seen);

// --- structure
if (!document.documentElement.lang) wrong.push('the page has no language');
if (!document.title) wrong.push('the page has no title');
if (root === document.body) {
  if (document.querySelectorAll('main').length !== 1) wrong.push('there is not exactly one main');
  if (all('h1').length !== 1) wrong.push(`there are ${all('h1').length} headings of the first level`);
}
const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`two elements have the id ${id}`);
for (const element of document.querySelectorAll('[aria-labelledby], [aria-describedby], [aria-controls]')) for (const name of ['aria-labelledby', 'aria-describedby', 'aria-controls']) for (const id of (element.getAttribute(name) || '').split(' ').filter(Boolean)) if (!document.getElementById(id)) wrong.push(`${where(element)}: ${name} names ${id}, which is not there`);
let level = root === document.body ? 0 : 1;
for (const heading of all('h1, h2, h3, h4')) { const now = Number(heading.tagName[1]); if (now > level + 1) wrong.push(`${where(heading)} skips a level`); level = now; }
for (const table of all('table')) if (!table.caption && !table.getAttribute('aria-label')) wrong.push(`${where(table)}: a table without a caption`);
for (const cell of all('th')) if (!cell.scope) wrong.push(`${where(cell)}: a heading without a scope`);

// --- names
function name(element) {
  const by = element.getAttribute('aria-labelledby');
  if (by) return by.split(' ').map((id) => document.getElementById(id)?.textContent || '').join(' ').trim();
  if (element.getAttribute('aria-label')) return element.getAttribute('aria-label').trim();
  if (element.labels?.length) return [...element.labels].map((label) => label.textContent).join(' ').trim();
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName)) return '';
  return element.textContent.trim();
}
for (const element of all('button, a[href], input, select, textarea, summary, [role=meter], [role=img], [role=region], [role=group], dialog, nav, aside')) if (!name(element)) wrong.push(`${where(element)} has no name`);
for (const image of all('img')) if (!image.hasAttribute('alt')) wrong.push(`${where(image)} has no alternative`);
for (const drawing of all('svg')) if (drawing.getAttribute('role') !== 'img' && drawing.getAttribute('aria-hidden') !== 'true') wrong.push(`${where(drawing)}: a drawing that is neither named nor hidden`);
for (const element of root.querySelectorAll('[tabindex]')) if (element.tabIndex > 0) wrong.push(`${where(element)} jumps the queue`);
for (const element of all('.scroll, .text, .editor textarea')) if (element.scrollWidth > element.clientWidth + 1 && element.tabIndex < 0) wrong.push(`${where(element)} scrolls, and no key reaches it`);
for (const element of all('[aria-hidden=true] :is(button, a[href], input, select, textarea)')) wrong.push(`${where(element)} is hidden from some, and has the focus`);

// --- contrast (WCAG 2, level AA)
const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
const pen = canvas.getContext('2d', { willReadFrequently: true });
const known = new Map();
function colour(text) {
  if (!known.has(text)) { pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1); const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data; known.set(text, [r, g, b, a / 255]); }
  return known.get(text);
}
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
function ground(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) { const layer = colour(getComputedStyle(at).backgroundColor); layers.push(layer); if (layer[3] === 1) break; if (at.tagName === 'DIALOG') break; }
  return layers.reverse().reduce((below, layer) => over(layer, below), colour(getComputedStyle(document.documentElement).backgroundColor));
}
const light = (value) => { const part = value / 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; };
const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
const ratio = (a, b) => { const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x); return (high + 0.05) / (low + 0.05); };
const opacity = (element) => { let all_ = 1; for (let at = element; at; at = at.parentElement) all_ *= Number(getComputedStyle(at).opacity); return all_; };
const told = new Set();
const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || !seen(element) || element.closest('button:disabled, [aria-hidden=true], .sr, .skip, script, style')) continue;
  const style = getComputedStyle(element), back = ground(element), drawn = element instanceof SVGElement ? style.fill : style.color;
  const [r, g, b, a] = colour(drawn), front = over([r, g, b, a * opacity(element)], back);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700), least = large ? 3 : 4.5;
  const found = ratio(front, back), key = `${drawn}${back}`;
  if (found < least && !told.has(key)) { told.add(key); wrong.push(`"${node.textContent.trim().slice(0, 40)}" in ${where(element)} has a contrast of ${found.toFixed(2)}, and needs ${least}`); }
}
for (const field of all('.input, .select, .area, .editor')) { const found = ratio(colour(getComputedStyle(field).borderTopColor), ground(field.parentElement)); if (found < 3) wrong.push(`the edge of ${where(field)} has a contrast of ${found.toFixed(2)}, and needs 3`); }
for (const line of all('.line')) { const found = ratio(colour(getComputedStyle(line).stroke), ground(line.closest('.card, dialog') || document.body)); if (found < 3) wrong.push(`a line has a contrast of ${found.toFixed(2)}, and needs 3`); }

// --- space
if (document.documentElement.scrollWidth > innerWidth + 1) wrong.push(`the page is ${document.documentElement.scrollWidth} px wide in a window of ${innerWidth} px`);
return wrong;
