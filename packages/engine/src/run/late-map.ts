/** What a fold keeps by key. */
export interface Keyed<V> extends ReadonlyMap<string, V> {
  set(key: string, value: V): unknown;
  delete(key: string): boolean;
  clear(): void;
}

/** A map that costs next to nothing until something is in it. A run keeps a dozen of which most runs need two. */
export class LateMap<K, V> implements ReadonlyMap<K, V> {
  #made: Map<K, V> | undefined;

  get size(): number {
    return this.#made?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#made?.get(key);
  }

  has(key: K): boolean {
    return this.#made !== undefined && this.#made.has(key);
  }

  set(key: K, value: V): this {
    (this.#made ??= new Map()).set(key, value);
    return this;
  }

  delete(key: K): boolean {
    return this.#made !== undefined && this.#made.delete(key);
  }

  clear(): void {
    this.#made = undefined;
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    this.#made?.forEach(visit);
  }

  entries(): MapIterator<[K, V]> {
    return (this.#made ?? new Map<K, V>()).entries();
  }

  keys(): MapIterator<K> {
    return (this.#made ?? new Map<K, V>()).keys();
  }

  values(): MapIterator<V> {
    return (this.#made ?? new Map<K, V>()).values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }
}
