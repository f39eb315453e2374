# Work of many kinds for ruby: objects and the collector, strings that grow, big numbers, threads, children.
require 'digest'
require 'json'
require 'set'
require 'zlib'

def digest(value) = Digest::SHA256.hexdigest(value.is_a?(String) ? value : JSON.generate(value))[0, 16]

def table(seed)
  chance = Random.new(seed)
  table = {}
  60_000.times do |number|
    table[chance.rand(5000)] = { number: number, text: 'x' * chance.rand(300), list: Array.new(chance.rand(15), number) }
    table.delete(chance.rand(5000)) if number % 3 == 0
  end
  digest(table.sort)
end

def text
  text = +''
  40_000.times { |n| text << "line #{n} #{n * 7919 % 1000}\n" }
  changed = text.gsub(/(\d+) (\d+)/) { format('%05d:%s', $1.to_i, $2.reverse) }
  packed = Zlib::Deflate.deflate(changed)
  raise 'unpacked differs' unless Zlib::Inflate.inflate(packed) == changed
  [digest(changed), digest(packed), changed.scan(/\w+/).map(&:length).tally.sort]
end

def numbers = digest([(3**20_000).to_s, (1..2000).inject(:*).to_s, Set.new((1..50_000).map { |n| n * n % 9973 }).size])

puts "alone #{table(1)} #{text} #{numbers}"
puts "threads #{(1..4).map { |seed| Thread.new { table(seed) } }.map(&:value)}"
3.times { GC.start(full_mark: true, immediate_sweep: true) }
GC.compact if GC.respond_to?(:compact)
puts "after collection #{table(2)}"
(1..3).each do |seed|
  reader, writer = IO.pipe
  child = fork { writer.puts table(seed) }
  writer.close
  puts "child #{reader.read}"
  Process.wait(child)
  raise 'the child failed' unless $?.success?
end
puts "program #{`ruby -e 'puts (1..10).map { |n| n * n }.join(",")'`}"
