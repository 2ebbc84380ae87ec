// The quantization bill: what int8 costs, layer by layer, and what would buy it back.

function billSection(build) {
  const { bill } = build;
  if (!bill) return null;
  const most = Math.max(1, ...bill.layers.map((layer) => layer.sqnr_db).filter((value) => value < NO_NOISE));
  const gains = Math.max(0.1, ...bill.layers.map((layer) => layer.int16_gain_db ?? 0));
  const methods = new Map(bill.tensors.flatMap((group) => group.tensors.map((name) => [name, group.method])));
  const inBuild = new Map(build.layers.flatMap((layer) => [[layer.name, layer.index], ...layer.parts.map((part) => [part.name, layer.index])]));
  const measured = bill.layers.some((layer) => known(layer.int16_gain_db));
  const weightGains = bill.layers.map((layer) => layer.int8_weights_gain_db).filter(known);
  const mostByWeights = Math.max(0.1, ...weightGains);
  const layers = sortable({
    caption: "Quantization bill by layer",
    rows: bill.layers.map((layer, place) => ({ ...layer, place, index: inBuild.get(layer.name.replace(/\[.*$/, "")) })),
    choose: (layer) => known(layer.index) && select(layer.index, "bill"),
    columns: [
      { head: "#", value: (layer) => layer.place, numeric: true, cell: (layer) => String(layer.place) },
      { head: "layer", value: (layer) => layer.name, main: true, cell: ({ name, kind }) => layerName({ name, op: kind }) },
      { head: "range by", value: (layer) => methods.get(layer.output) ?? "" },
      { head: "SQNR of its output", value: (layer) => layer.sqnr_db, numeric: true, cell: (layer) => barred(layer.sqnr_db, most, decibel),
        hint: "Signal to quantization noise, with everything before in int8" },
      ...(measured ? [{ head: "gain with 16 bits", value: (layer) => layer.int16_gain_db, numeric: true, cell: (layer) => barred(layer.int16_gain_db, gains, (value) => signed(value, decibel), "gain"),
        hint: "How much the network's SQNR rises when only this layer's activations have 16 bits" }] : []),
      ...(weightGains.length > 0 ? [{ head: "gain with int8 weights", value: (layer) => layer.int8_weights_gain_db, numeric: true, cell: (layer) => barred(layer.int8_weights_gain_db, mostByWeights, (value) => signed(value, decibel), "gain"),
        hint: "How much the network's SQNR rises when only this layer's weights have 8 bits instead of 4" }] : []),
    ],
  });
  onSelect((layer) => layers.mark((row) => row.index === layer));
  const { accuracy } = bill;
  return section("quantization", "Quantization",
    `The network's signal to quantization noise is ${decibel(bill.network_sqnr_db)}, measured on ${times(bill.measured_samples, "sample")}; the ranges come from ${number(bill.samples)}.`
      + (measured ? " The gain says where 16-bit activations would help the network most." : ""),
    accuracy && h("div", { class: "figures" },
      figure("Accuracy, float", percent(accuracy.float_top1, 2)), figure("Accuracy, int8", percent(accuracy.int8_top1, 2)),
      figure("Same answer", percent(accuracy.agreement, 2)), figure("Labelled samples", number(accuracy.samples))),
    layers.element,
    h("details", {}, h("summary", {}, `Ranges of ${times(bill.tensors.length, "group")} of tensors`),
      sortable({ caption: "Ranges of tensors", rows: bill.tensors, columns: [
        { head: "tensors", value: (one) => one.tensors.join(", "), main: true },
        { head: "range by", value: (one) => one.method },
        { head: "low", value: (one) => one.low, numeric: true, cell: (one) => one.low.toPrecision(4) },
        { head: "high", value: (one) => one.high, numeric: true, cell: (one) => one.high.toPrecision(4) },
        { head: "scale", value: (one) => one.scale, numeric: true, cell: (one) => one.scale.toPrecision(4) },
        { head: "zero point", value: (one) => one.zero_point, numeric: true },
      ] }).element),
    bill.treatments.length > 0 && h("details", {}, h("summary", {}, `${times(bill.treatments.length, "treatment")} of the float model tried`),
      sortable({ caption: "Treatments", rows: bill.treatments, columns: [
        { head: "treatment", value: (one) => one.name, main: true },
        { head: "before", value: (one) => one.before_db, numeric: true, cell: (one) => decibel(one.before_db) },
        { head: "with it", value: (one) => one.after_db, numeric: true, cell: (one) => decibel(one.after_db) },
        { head: "kept", value: (one) => (one.kept ? "yes" : "no") },
      ] }).element),
    bill.promotions?.length > 0 && h("details", {}, h("summary", {}, `${times(bill.promotions.length, "tensor")} in 16 bits`),
      sortable({ caption: "Tensors in 16 bits", rows: bill.promotions, columns: [
        { head: "tensor", value: (one) => one.tensor, main: true },
        { head: "layer", value: (one) => one.layer },
        { head: "gain", value: (one) => one.gain_db, numeric: true, cell: (one) => signed(one.gain_db, decibel) },
        { head: "more bytes", value: (one) => one.bytes, numeric: true },
      ] }).element));
}
