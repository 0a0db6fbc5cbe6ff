// The paired bootstrap of icvos diff (icvos/metrics/summary.py), draw for draw: same generator, same seed, same bounds.

// MT19937 as numpy.random.RandomState(seed) runs it, whose stream never changes.
function twister(seed) {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let k = 1; k < 624; k++) state[k] = Math.imul(1812433253, state[k - 1] ^ (state[k - 1] >>> 30)) + k;
  let place = 624;
  return () => {
    if (place === 624) {
      for (let k = 0; k < 624; k++) {
        const mixed = (state[k] & 0x80000000) | (state[(k + 1) % 624] & 0x7fffffff);
        state[k] = state[(k + 397) % 624] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
      place = 0;
    }
    let value = state[place++];
    value ^= value >>> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    return (value ^ (value >>> 18)) >>> 0;
  };
}

// Numbers from 0 to below count, as RandomState.randint draws them: bits that make too large a number are thrown away.
function drawer(count, seed) {
  const next = twister(seed);
  const mask = 2 ** Math.ceil(Math.log2(count)) - 1;
  return () => {
    let value = next() & mask;
    while (value >= count) value = next() & mask;
    return value;
  };
}

// As numpy.quantile: between two ordered values in proportion.
function quantile(ordered, share) {
  const place = share * (ordered.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, ordered.length - 1);
  return ordered[low] + (ordered[high] - ordered[low]) * (place - low);
}

// How sure the signs of mean differences are when units are drawn again, each with all its items.
// differences: [K][N], K figures of N items in a less those in b; units: [N], where items of a unit follow one another.
// For each figure { low, high, probability }: bounds of the interval, and the share of resampled means above 0.
function pairedBootstrap(differences, units, { level, samples, seed }) {
  let groups = 0;
  const places = units.map((unit, k) => (unit === units[k - 1] ? groups - 1 : groups++));
  const sizes = new Float64Array(groups);
  const sums = differences.map(() => new Float64Array(groups));
  places.forEach((group, k) => {
    sizes[group] += 1;
    differences.forEach((values, figure) => (sums[figure][group] += values[k]));
  });
  const means = differences.map(() => new Float64Array(samples));
  const draw = drawer(groups, seed);
  const times = new Float64Array(groups);
  for (let sample = 0; sample < samples; sample++) {
    times.fill(0);
    for (let k = 0; k < groups; k++) times[draw()] += 1;
    let size = 0;
    for (let k = 0; k < groups; k++) size += times[k] * sizes[k];
    sums.forEach((own, figure) => {
      let sum = 0;
      for (let k = 0; k < groups; k++) sum += times[k] * own[k];
      means[figure][sample] = sum / size;
    });
  }
  const tail = (1 - level) / 2;
  return means.map((own) => {
    const probability = (own.reduce((sum, value) => sum + Math.sign(value), 0) / samples + 1) / 2;
    own.sort();
    return { low: quantile(own, tail), high: quantile(own, 1 - tail), probability };
  });
}
