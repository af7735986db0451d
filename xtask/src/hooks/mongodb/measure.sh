rm -rf /tmp/measure
tool mongodump --db=shop --out=/tmp/measure
cd /tmp/measure/shop
for file in *.bson; do
  bsondump --quiet "$file" | sort | sed "s/^/document|${file%.bson}|/"
done
# mongorestore makes indexes in any order.
for file in *.metadata.json; do
  sed -E 's/"uuid":"[0-9a-f]*"//; s/,?\{"v":/\n&/g; s/\],/\n&/g' "$file" | sed 's/^,//' | sort | sed "s/^/definition|${file%.metadata.json}|/"
done
rm -rf /tmp/measure
