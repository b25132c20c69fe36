/**
 * What tuning found on which adapter, kept in IndexedDB. Where there is none, or it throws or does not answer, nothing is remembered: then the
 * adapter is tuned again.
 */

const DATABASE = "reparam.kernels";
const STORE = "products";
const PATIENCE_MS = 1000; // browsers have had faults by which opening a database is never answered

export async function remembered(key: string): Promise<string | undefined> {
  const found = await ask("readonly", (store) => store.get(key));
  return typeof found === "string" ? found : undefined;
}

export async function remember(key: string, products: string): Promise<void> {
  await ask("readwrite", (store) => store.put(products, key));
}

async function ask(mode: IDBTransactionMode, request: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS));
  return Promise.race([answer(mode, request), late]).catch(() => undefined);
}

async function answer(mode: IDBTransactionMode, request: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await settled(opening);
  try {
    return await settled(request(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
