# Work of many kinds for perl: hashes, strings that grow, regular expressions, closures, threads, children.
use strict;
use warnings;
use threads;
use threads::shared;
use Digest::SHA qw(sha256_hex);
use List::Util qw(sum shuffle);

$| = 1;

sub table {
    my ($seed) = @_;
    srand($seed);
    my %table;
    for my $number (1 .. 60000) {
        my $key = 'key' . int(rand(5000));
        if (exists $table{$key} && rand() < 0.3) { delete $table{$key} }
        else { $table{$key} = { number => $number, text => 'x' x int(rand(300)), list => [ 1 .. $number % 15 ] } }
    }
    my $text = join "\n", map { "$_ $table{$_}{number} $table{$_}{text} @{$table{$_}{list}}" } sort keys %table;
    return substr sha256_hex($text), 0, 16;
}

sub text {
    my $text = '';
    $text .= "line $_ " . ($_ * 7919 % 1000) . "\n" for 1 .. 60000;
    (my $changed = $text) =~ s/(\d+) (\d+)/sprintf '%05d:%s', $1, scalar reverse $2/ge;
    my %count;
    $count{length $_}++ for split /\W+/, $changed;
    my $large = "\0" x 1;
    $large .= $large for 1 .. 24;
    return substr(sha256_hex($changed), 0, 16) . ' ' . join(',', map { "$_=$count{$_}" } sort keys %count) . ' ' . length $large;
}

sub closures {
    my @counters = map { my $n = $_; sub { $n += shift } } 1 .. 20000;
    my @order = map { $_ * 7919 % @counters } 0 .. $#counters;
    return sum map { $counters[$_]->($_) } @order;
}

print 'alone ', table(1), ' ', text(), ' ', closures(), "\n";
print 'threads ', join(' ', map { $_->join } map { my $seed = $_; threads->create(sub { table($seed) }) } 1 .. 4), "\n";
for my $seed (1 .. 3) {
    my $child = open(my $output, '-|') // die "fork: $!";
    if ($child == 0) { print table($seed), "\n"; exit 0 }
    print 'child ', <$output>;
    close $output or die "child: $?";
}
print 'program ', `perl -e 'print join ",", map { \$_ * \$_ } 1 .. 10'`, "\n";
