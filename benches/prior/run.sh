#!/usr/bin/env bash
# Trains the priors of src/engine/prior anew on drawn series: some hours on two cores. NAMES picks some: make prior NAMES="12a 7a"
. "$(dirname "$0")/../../scripts/common.sh"
cd "$ROOT"
cargo build --release --bench prior
prior=$(cargo build --release --bench prior --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*prior[^"]*\)".*/\1/p' | tail -1)

# NAME SEASON LOOKBACK BLOCKS HORIZON STEPS SEED
while read -r name season lookback blocks horizon steps seed; do
  case " ${NAMES:-$name} " in *" $name "*) ;; *) continue ;; esac
  say "prior $name: season $season, look-back $lookback, $steps steps"
  SEASON=$season LOOKBACK=$lookback BLOCKS=$blocks HORIZON=$horizon STEPS=$steps SEED=$seed LOG=1 WIDTH=256 DEPTH=4 \
    OUT=src/engine/prior/$name.safetensors "$prior"
done <<'PRIORS'
1a 1 32 0 12 10000 1
4a 4 32 8 12 12000 1
7a 7 84 56 56 12000 1
12a 12 60 8 24 16000 1
12b 12 36 8 24 14000 2
24a 24 192 28 48 9000 1
52a 52 156 4 26 12000 1
PRIORS
