// Work of many kinds for node: objects and buffers, compression and digests on its thread pool, worker threads, children.
'use strict';
const { createHash, pbkdf2Sync, scrypt } = require('crypto');
const { execFileSync } = require('child_process');
const { promisify } = require('util');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const zlib = require('zlib');

const digest = (value) =>
    createHash('sha256').update(Buffer.isBuffer(value) ? value : JSON.stringify(value)).digest('hex').slice(0, 16);

// The same numbers in every run.
function numbers(seed) {
    let state = BigInt(seed) + 1n;
    return (below) => {
        state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
        return Number((state >> 33n) % BigInt(below));
    };
}

function objects(seed) {
    const chance = numbers(seed), table = new Map();
    for (let number = 0; number < 100000; number++)
        table.set(chance(5000), { number, text: 'x'.repeat(chance(300)), list: Array(chance(20)).fill(number) });
    return digest([...table].sort((a, b) => a[0] - b[0]));
}

// Memory outside of the collected heap.
function buffers(seed) {
    const chance = numbers(seed), kept = [];
    const hash = createHash('sha256');
    for (let number = 0; number < 20000; number++) {
        const buffer = Buffer.alloc(1 + chance(number % 100 === 0 ? 300000 : 5000), number);
        if (kept.length < 500) kept.push(buffer);
        else hash.update(kept.splice(chance(500), 1, buffer)[0].subarray(0, 100));
    }
    return hash.digest('hex').slice(0, 16);
}

function regular(seed) {
    const chance = numbers(seed);
    const text = Array.from({ length: 20000 }, () => `name${chance(1000)}=${chance(100000)}`).join(';');
    return digest(JSON.parse(JSON.stringify(text.match(/name\d*7=\d+/g).map((pair) => pair.split('=')))));
}

const work = (seed) => [objects(seed), buffers(seed), regular(seed)];

async function main() {
    console.log('alone', work(0));
    const gzip = promisify(zlib.gzip), gunzip = promisify(zlib.gunzip), brotli = promisify(zlib.brotliCompress);
    const text = Buffer.from(Array.from({ length: 50000 }, (_, i) => `line ${i * 7919}\n`).join(''));
    const packed = await Promise.all(Array.from({ length: 8 }, (_, i) => gzip(text.subarray(i * 1000))));
    const again = await Promise.all(packed.map((data) => gunzip(data)));
    console.log('pool', packed.map(digest), again.map(digest), digest(await brotli(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } })));
    console.log('keys', digest(await promisify(scrypt)('secret', 'salt', 64)), digest(pbkdf2Sync('a', 'b', 5000, 64, 'sha512')));
    const workers = [1, 2, 3].map((seed) => new Promise((resolve, reject) => {
        new Worker(__filename, { workerData: seed }).once('message', resolve).once('error', reject);
    }));
    console.log('workers', await Promise.all(workers));
    console.log('child', execFileSync(process.execPath, ['-p', '"x".repeat(1e6).length'], { encoding: 'utf8' }).trim());
}

if (isMainThread) main();
else parentPort.postMessage(work(workerData));
