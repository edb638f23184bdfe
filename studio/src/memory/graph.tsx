// The map as a graph on the graphics card: thousands of nodes that stay smooth. What is chosen is lit, the rest fades. Without
// WebGL the page says so and the lists beside it still serve.
// Its types have no named export.
// oxlint-disable-next-line import/no-named-as-default
import Graph from 'graphology';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Sigma } from 'sigma';
import { type MemoryMap, nameOf } from './data.ts';

export interface GraphProps {
  readonly map: MemoryMap;
  /** `e<place>` of an event or `c<place>` of a component. */
  readonly chosen: string | null;
  /** Places of events that a search found; null: no search. */
  readonly found: ReadonlySet<number> | null;
  readonly onChoose: (node: string | null) => void;
}

interface Tints {
  readonly event: string;
  readonly component: string;
  readonly lit: string;
  readonly faded: string;
  readonly tie: string;
  readonly ink: string;
}

export function MemoryGraph({ map, chosen, found, onChoose }: GraphProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const sigma = useRef<Sigma | null>(null);
  const state = useRef({ chosen, found });
  const [fault, setFault] = useState(false);

  useEffect(() => {
    if (host.current === null) return;
    const tints = readTints(host.current);
    const graph = toGraph(map, tints);
    let renderer: Sigma;
    try {
      renderer = new Sigma(graph, host.current, {
        renderEdgeLabels: false,
        labelColor: { color: tints.ink },
        labelSize: 12,
        labelDensity: 0.4,
        labelRenderedSizeThreshold: 7,
        minCameraRatio: 0.02,
        maxCameraRatio: 3,
        zIndex: true,
        nodeReducer: (node, data) => {
          const now = state.current;
          if (now.chosen === null && now.found === null) return data;
          const near = now.chosen !== null && (node === now.chosen || graph.areNeighbors(node, now.chosen));
          const hit = now.found !== null && node.startsWith('e') && now.found.has(Number(node.slice(1)));
          if (near || hit)
            return { ...data, color: tints.lit, zIndex: 2, size: data['size'] + (node === now.chosen ? 4 : 1.5) };
          return { ...data, color: tints.faded, label: null, zIndex: 0 };
        },
        edgeReducer: (edge, data) => {
          const { chosen: node } = state.current;
          if (node === null) return data;
          return graph.hasExtremity(edge, node)
            ? { ...data, color: tints.lit, size: 1.6, zIndex: 1 }
            : { ...data, hidden: true };
        },
      });
    } catch {
      setFault(true);
      return;
    }
    renderer.on('clickNode', ({ node }) => onChoose(node));
    renderer.on('clickStage', () => onChoose(null));
    renderer.on('enterNode', () => host.current?.classList.add('is-over'));
    renderer.on('leaveNode', () => host.current?.classList.remove('is-over'));
    keepSmooth(renderer);
    sigma.current = renderer;
    return () => {
      sigma.current = null;
      renderer.kill();
    };
  }, [map]);

  useEffect(() => {
    state.current = { chosen, found };
    sigma.current?.refresh({ skipIndexation: true });
  }, [chosen, found]);

  const zoom = (factor: number): void => {
    const camera = sigma.current?.getCamera();
    if (camera) void (factor === 0 ? camera.animatedReset() : camera.animate({ ratio: camera.ratio * factor }));
  };
  return (
    <div class="map">
      <div
        class="map-canvas"
        ref={host}
        role="img"
        aria-label={`Map of ${map.events.length} events and ${map.components.length} shared components`}
      />
      {fault && (
        <p class="map-fault">
          This browser offers no WebGL, so the map cannot be drawn. The lists beside it show the same.
        </p>
      )}
      <div class="map-zoom">
        <button type="button" onClick={() => zoom(1 / 1.6)} aria-label="Zoom in">
          +
        </button>
        <button type="button" onClick={() => zoom(1.6)} aria-label="Zoom out">
          −
        </button>
        <button type="button" onClick={() => zoom(0)} aria-label="Whole map">
          ⤢
        </button>
      </div>
    </div>
  );
}

/** Slower frames than this while the map is moved, and how many of them are enough to tell. */
const SLOW_MS = 34;
const FRAMES = 4;

/** Where thousands of ties make moving slow, as without a graphics card, they wait until the map stands still. */
function keepSmooth(renderer: Sigma): void {
  let moved = false;
  let last = 0;
  let slow = 0;
  renderer.getCamera().on('updated', () => {
    moved = true;
  });
  renderer.on('afterRender', () => {
    const now = performance.now();
    // Only frames that follow one another closely are of one movement.
    if (moved && now - last > SLOW_MS && now - last < 60 * SLOW_MS) slow++;
    else if (moved && now - last <= SLOW_MS) slow = Math.max(0, slow - 1);
    last = now;
    moved = false;
    if (slow >= FRAMES && !renderer.getSetting('hideEdgesOnMove')) renderer.setSetting('hideEdgesOnMove', true);
  });
}

function toGraph(map: MemoryMap, tints: Tints): Graph {
  const graph = new Graph({ multi: false, type: 'undirected' });
  const most = Math.max(1, ...map.components.map((c) => c.events));
  map.events.forEach((event, i) => {
    graph.addNode(`e${i}`, {
      x: event.x,
      y: event.y,
      size: 2.2,
      color: tints.event,
      label: `event ${event.ordinal}`,
      zIndex: 1,
    });
  });
  map.components.forEach((component, i) => {
    graph.addNode(`c${i}`, {
      x: component.x,
      y: component.y,
      size: 3 + 7 * Math.sqrt(component.events / most),
      color: tints.component,
      label: nameOf(component),
      zIndex: 2,
    });
  });
  for (const [a, b] of map.alike) graph.mergeEdge(`e${a}`, `e${b}`, { size: 0.5, color: tints.tie });
  for (const [event, component] of map.has)
    graph.mergeEdge(`e${event}`, `c${component}`, { size: 0.5, color: tints.tie });
  return graph;
}

/** Colours of the style sheet, as the graphics card wants them. */
function readTints(element: HTMLElement): Tints {
  const style = getComputedStyle(element);
  const tint = (name: string): string => style.getPropertyValue(name).trim();
  return {
    event: tint('--small-strong'),
    component: tint('--medium-strong'),
    lit: tint('--bad'),
    faded: tint('--line'),
    tie: tint('--line'),
    ink: tint('--ink'),
  };
}
