# Definitions first, as mongorestore makes them of a dump; then documents of every type.
rm -rf /tmp/fill && mkdir -p /tmp/fill/shop
: >/tmp/fill/shop/orders.bson
cat >/tmp/fill/shop/orders.metadata.json <<'END'
{"options":{},"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},
{"v":{"$numberInt":"2"},"key":{"customer":{"$numberInt":"1"},"at":{"$numberInt":"-1"}},"name":"by_customer"},
{"v":{"$numberInt":"2"},"unique":true,"key":{"number":{"$numberInt":"1"}},"name":"number_once"},
{"v":{"$numberInt":"2"},"key":{"at":{"$numberInt":"1"}},"name":"expires","expireAfterSeconds":{"$numberInt":"864000000"}}],
"uuid":"","collectionName":"orders","type":"collection"}
END
tool mongorestore --dir=/tmp/fill
i=0
while [ $i -lt 500 ]; do
  i=$((i + 1))
  printf '{"_id":{"$oid":"65a0000000000000%08x"},"number":{"$numberInt":"%d"},"customer":"c%d","at":{"$date":{"$numberLong":"17000000%05d"}},' $i $i $((i % 7)) $i
  printf '"price":{"$numberDecimal":"%d.50"},"lines":[{"sku":"s%d","n":{"$numberLong":"900719925474%04d"}},null,true]}\n' $i $i $i
done >/tmp/fill/orders.json
tool mongoimport --db=shop --collection=orders --file=/tmp/fill/orders.json
cat >/tmp/fill/types.json <<'END'
{"_id":1,"double":{"$numberDouble":"-0.1"},"infinity":{"$numberDouble":"Infinity"},"nan":{"$numberDouble":"NaN"}}
{"_id":2,"text":"Grüße, 世界, 😀","empty":"","object":{"a":{"b":{"c":[]}}},"null":null,"bool":false}
{"_id":3,"binary":{"$binary":{"base64":"AAECAwQF","subType":"00"}},"uuid":{"$binary":{"base64":"AAECAwQFBgcICQoLDA0ODw==","subType":"04"}}}
{"_id":4,"regex":{"$regularExpression":{"pattern":"^a.*z$","options":"im"}},"timestamp":{"$timestamp":{"t":4294967295,"i":1}}}
{"_id":5,"min":{"$minKey":1},"max":{"$maxKey":1},"code":{"$code":"function () { return 1 }"}}
{"_id":{"a":1,"b":"compound"},"decimal":{"$numberDecimal":"-9.999999999999999999999999999999999E+6144"}}
END
tool mongoimport --db=shop --collection=types --file=/tmp/fill/types.json
head -c 600000 /dev/urandom | base64 -w 0 | sed 's/.*/{"_id":1,"files_id":1,"n":0,"data":"&"}/' >/tmp/fill/chunks.json
tool mongoimport --db=shop --collection=fs.chunks --file=/tmp/fill/chunks.json
rm -rf /tmp/fill
